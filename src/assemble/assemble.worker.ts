/** Thread entry of an assembler slot: one long Piscina task that ends when its frame rings are closed and empty. */
import { parentPort } from 'node:worker_threads'
import { allocateRing, RingConsumer, RingProducer } from '../ring/byte-ring.ts'
import { Doorbell } from '../ring/doorbell.ts'
import type { PairSelection, PairSelector } from '../select/selector.ts'
import type { InterfaceInfo } from '../target/interface-info.ts'
import { COMMAND_STOP, Control } from '../thread/control.ts'
import { CpuTimeRecorder } from '../thread/cpu-time.ts'
import { Mailbox } from '../thread/mailbox.ts'
import { Assembler, assemblerArena, INPUT_BLOCK_BYTES } from './assembler.ts'
import type { PairSink } from './http1/outcomes.ts'
import type { Arena } from './memory/arena.ts'
import { PairRingSink } from './pair-ring-sink.ts'
import { warmUpAssembler } from './warm-up.ts'
import type { AssembleTask, FromAssembler, KnownInterface, ToAssembler } from './worker-data.ts'

/** Longest sleep of an idle assembler, between two heartbeats. */
const IDLE_MS = 500
const WARM_UP_RING_BYTES = 256 * 1024
/** The packet clock's ticks while nothing is sent need no more of a ring; a request and its response do. */
const TICKS_BYTES = 512
/** How long frames may gather after a block before a wake-up is requested. A ring holds 20 times as many. */
const NAP_MS = 1

const post = (message: FromAssembler): void => parentPort?.postMessage(message)

/** Runs until the rings are closed and empty, or until COMMAND_STOP. A failure makes the supervisor restart the slot. */
export async function assemble(task: AssembleTask): Promise<void> {
  const selector = await selectorOf(task.options.selection)
  const bell = new Doorbell(task.ownBell)
  const control = new Control(task.control)
  const rings = task.rings.map((ring, i) => {
    const capture = task.captureBells[i]
    return new RingConsumer(ring, capture === null ? null : new Doorbell(capture))
  })
  const pairs = new RingProducer(task.pairRing, new Doorbell(task.shipperBell))
  const arena = assemblerArena(task.options)
  const createSink = (ring: RingProducer) => new PairRingSink(arena, ring, task.whenFull, bell, control)
  const isIdle = (): boolean => {
    control.beat()
    return control.command !== COMMAND_STOP && rings.every((ring) => ring.used <= TICKS_BYTES && !ring.finished)
  }
  // Frames that arrive meanwhile wait in the rings.
  post({ t: 'ready' })
  if (task.whenFull === 'drop') warmUpLive(arena, task, createSink, isIdle)
  const announced = (id: number, info: InterfaceInfo): void => post({ t: 'interface', id, info })
  const assembler = new Assembler(arena, task.options, task.counters, createSink(pairs), announced, selector)
  const add = ({ id, info, traffic }: KnownInterface) => assembler.addInterface(id, info, traffic?.[task.slot])
  for (const known of task.interfaces) add(known)
  assembler.setAddresses(task.addresses)
  const mail = new Mailbox<ToAssembler>(task.port, control)
  const handle = (message: ToAssembler): void => handleMessage(assembler, add, message)
  const cpuTime = new CpuTimeRecorder(control)
  const ready = (): boolean =>
    rings.some((ring) => !ring.empty || ring.finished) || control.hasMail || control.command === COMMAND_STOP
  let busy = false
  while (control.command !== COMMAND_STOP) {
    control.beat()
    cpuTime.update(performance.now())
    let worked = 0
    try {
      for (const ring of rings) worked += processBlock(assembler, ring, mail, handle)
    } finally {
      // Also after a failure: complete pairs have been counted as kept.
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

/** Loaded only for a selection: nothing else in this thread decodes pairs. */
async function selectorOf(selection: PairSelection | undefined): Promise<PairSelector | null> {
  if (selection === undefined) return null
  const { PairSelector } = await import('../select/selector.ts')
  return PairSelector.create(selection)
}

function handleMessage(assembler: Assembler, add: (known: KnownInterface) => void, message: ToAssembler): void {
  switch (message.t) {
    case 'interface':
      add(message)
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

/** The warm-up's pairs go to a ring of their own and are discarded. */
function warmUpLive(
  arena: Arena,
  { options }: AssembleTask,
  createSink: (ring: RingProducer) => PairSink,
  isIdle: () => boolean,
): void {
  const shared = allocateRing(WARM_UP_RING_BYTES)
  const ring = new RingProducer(shared, new Doorbell(Doorbell.allocate()))
  const consumer = new RingConsumer(shared, null)
  warmUpAssembler(arena, options, createSink(ring), () => {
    ring.flush()
    consumer.release(consumer.used)
    return isIdle()
  })
}

/** Processes one block of a ring. @returns its length in bytes */
function processBlock(
  assembler: Assembler,
  ring: RingConsumer,
  mail: Mailbox<ToAssembler>,
  handle: (message: ToAssembler) => void,
): number {
  let length = assembler.wholeRecords(ring.peek(assembler.input, INPUT_BLOCK_BYTES))
  if (length === 0) length = assembler.wholeRecords(ring.peek(assembler.input, assembler.input.length))
  // Read messages after the ring was peeked at, so that those sent before a frame are applied before the frame.
  mail.read(handle)
  if (length === 0) return 0
  // Release first: the block is a private copy, and a frame that makes the assembler fail is not read again after a restart.
  ring.release(length)
  assembler.consume(length)
  return length
}
