/** Thread entry of an assembler slot: one long Piscina task that ends when its frame rings are closed and empty. */
import { parentPort } from 'node:worker_threads'
import { allocateRing, RingConsumer, RingProducer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import { COMMAND_STOP, Control } from '../thread/control.ts'
import { CpuTimeRecorder } from '../thread/cpu-time.ts'
import { Mailbox } from '../thread/mailbox.ts'
import { Assembler, assemblerArena, BLOCK_BYTES } from './assembler.ts'
import type { PairSink } from './http1/outcomes.ts'
import type { Arena } from './memory/arena.ts'
import { PairRingSink } from './pair-ring-sink.ts'
import { warmUp } from './warm-up.ts'
import type { AssembleTask, FromAssembler, ToAssembler } from './worker-data.ts'

/** How long an idle assembler sleeps at most before it shows a heartbeat. */
const IDLE_MS = 100
const WARM_UP_RING_BYTES = 256 * 1024
/** After work, how long to let frames gather before asking to be woken for them. A ring holds 20 times as much. */
const NAP_MS = 1

const post = (message: FromAssembler): void => parentPort?.postMessage(message)

/** Works until the rings are closed and empty, or until COMMAND_STOP. Whatever it throws makes the supervisor restart it. */
export function assemble(task: AssembleTask): void {
  const bell = new Doorbell(task.ownBell)
  const control = new Control(task.control)
  const rings = task.rings.map((ring, i) => {
    const capture = task.captureBells[i]
    return new RingConsumer(ring, capture === null ? null : new Doorbell(capture))
  })
  const pairs = new RingProducer(task.pairRing, new Doorbell(task.shipperBell))
  const arena = assemblerArena(task.options)
  const createSink = (ring: RingProducer) => new PairRingSink(arena, ring, task.whenFull, bell, control)
  if (task.whenFull === 'drop') warmUpLive(arena, task, createSink)
  const assembler = new Assembler(arena, task.options, task.counters, createSink(pairs), (id, info) =>
    post({ t: 'interface', id, info }),
  )
  for (const { id, info } of task.interfaces) assembler.addInterface(id, info)
  assembler.setAddresses(task.addresses)
  const mail = new Mailbox<ToAssembler>(task.port, control)
  const obey = (message: ToAssembler): void => take(assembler, message)
  const cpuTime = new CpuTimeRecorder(control)
  const ready = (): boolean =>
    rings.some((ring) => !ring.empty || ring.finished) || control.hasMail || control.command === COMMAND_STOP
  let busy = false
  post({ t: 'ready' })
  while (control.command !== COMMAND_STOP) {
    control.beat()
    cpuTime.update(performance.now())
    let worked = 0
    try {
      for (const ring of rings) worked += takeBlock(assembler, ring, mail, obey)
    } finally {
      // Also when it fails: what is whole has been counted as kept.
      pairs.flush()
    }
    if (worked > 0) {
      busy = true
      continue
    }
    if (rings.every((ring) => ring.finished)) break
    if (busy) bell.nap(NAP_MS)
    else bell.wait(IDLE_MS, ready)
    busy = false
  }
  assembler.finish()
  pairs.close()
  task.port.close()
}

function take(assembler: Assembler, message: ToAssembler): void {
  switch (message.t) {
    case 'interface':
      assembler.addInterface(message.id, message.info)
      break
    case 'addresses':
      assembler.setAddresses(message.entries)
      break
    case 'filter':
      assembler.setFilter(message.filter)
      break
    case 'policy':
      assembler.setPolicy(message.policy)
      break
  }
}

/** Live capture cannot wait for a cold assembler. Its pairs go to a ring of their own, and nowhere from there. */
function warmUpLive(arena: Arena, { options }: AssembleTask, createSink: (ring: RingProducer) => PairSink): void {
  const shared = allocateRing(WARM_UP_RING_BYTES)
  const ring = new RingProducer(shared, new Doorbell(Doorbell.allocate()))
  const consumer = new RingConsumer(shared, null)
  warmUp(arena, options, createSink(ring), () => {
    ring.flush()
    consumer.release(consumer.used)
  })
}

/** Works through one block of a ring. @returns bytes taken */
function takeBlock(
  assembler: Assembler,
  ring: RingConsumer,
  mail: Mailbox<ToAssembler>,
  obey: (message: ToAssembler) => void,
): number {
  let length = assembler.wholeRecords(ring.peek(assembler.input, BLOCK_BYTES))
  if (length === 0) length = assembler.wholeRecords(ring.peek(assembler.input, assembler.input.length))
  // Behind the look into the ring: what was said before a frame came is known before the frame is met.
  mail.read(obey)
  if (length === 0) return 0
  // Released first: the block is a private copy, and a frame that we cannot work through is not met again after a restart.
  ring.release(length)
  assembler.consume(length)
  return length
}
