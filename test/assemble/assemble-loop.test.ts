import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { AssembleLoop } from '../../src/assemble/assemble-loop.ts'
import { compileProgram } from '../../src/assemble/host/program.ts'
import type { AssembleTask } from '../../src/assemble/worker-data.ts'
import { ASSEMBLE_COUNTERS, allocateCounters } from '../../src/ledger/counters.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { FRAME, FRAME_FIELDS_BYTES, TAG_AT } from '../../src/ring/layout.ts'
import { COMMAND_STOP, Control } from '../../src/thread/control.ts'
import { assemblerOptions } from '../support/assemble-harness.ts'

/** A task with one ring, and the other ends of its rings. */
function makeTask(parts: Partial<AssembleTask> = {}): {
  task: AssembleTask
  control: Control
  bell: Doorbell
  mail: MessagePort
} {
  const { port1, port2 } = new MessageChannel()
  const task: AssembleTask = {
    slot: 0,
    program: compileProgram(),
    rings: [allocateRing(4096)],
    marks: [],
    captureBells: [null],
    placeEnd: null,
    ownBell: Doorbell.allocate(),
    pairRing: allocateRing(4 * 1024 * 1024),
    shipperBell: Doorbell.allocate(),
    onlyCounts: false,
    control: Control.allocate(),
    counters: allocateCounters(ASSEMBLE_COUNTERS),
    whenFull: 'drop',
    options: assemblerOptions({ stateBytes: 1024 * 1024 }),
    interfaces: [],
    addresses: [],
    port: port1,
    ...parts,
  }
  return { task, control: new Control(task.control), bell: new Doorbell(task.ownBell), mail: port2 }
}

test('assemble loop: ends on a stop before it reads anything', async () => {
  const { task, control, bell } = makeTask()
  control.command = COMMAND_STOP
  const posted: string[] = []
  const loop = await AssembleLoop.open(task, ({ t }) => posted.push(t), bell)
  assert.deepEqual([posted, loop.pass()], [['ready'], 'ended'])
  assert.ok(task.counters.every((count) => count === 0))
  loop.end()
})

test('assemble loop: closes the pair ring when it ends', async () => {
  const { task, bell } = makeTask()
  const loop = await AssembleLoop.open(task, () => {}, bell)
  const pairs = new RingConsumer(task.pairRing, null)
  new RingProducer(task.rings[0], bell).close()
  assert.equal(pairs.finished, false)
  loop.end()
  assert.equal(pairs.finished, true)
})

test('assemble loop: a thread that ends before it has released a block has not counted its frames', async () => {
  const { task, bell, control, mail } = makeTask()
  const loop = await AssembleLoop.open(task, () => {}, bell)
  const ring = new RingProducer(task.rings[0], bell)
  const at = ring.tryClaim(FRAME_FIELDS_BYTES)
  ring.words[(at + TAG_AT) >> 2] = FRAME
  ring.commit()
  ring.flush()
  mail.postMessage({ t: 'filter', filter: null })
  control.announceMail()
  assert.throws(() => loop.pass())
  // The next thread reads the frame.
  assert.equal(new RingConsumer(task.rings[0], null).empty, false)
  assert.equal(task.counters[ASSEMBLE_COUNTERS.index.framesRead], 0)
  task.port.close()
})
