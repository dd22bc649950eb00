/** Real packet sockets, without the worker's loop: what each is told, and which frames it delivers then. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { needs } from '../../../rig/needs.ts'
import { SETTLE_MS } from '../../../src/capture/af-packet/ring-geometry.ts'
import type { CaptureRules } from '../../../src/capture/af-packet/socket-opener.ts'
import { WorkerSocket } from '../../../src/capture/af-packet/worker-socket.ts'
import { SHED_SAMPLE_RATE } from '../../../src/capture/filter/shed-rule.ts'
import { flowHash } from '../../../src/capture/intake/flow-hash.ts'
import { KEEP_ALL } from '../../../src/capture/intake/flow-shedder.ts'
import type { LentSocket } from '../../../src/capture/worker-data.ts'
import { CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'
import type { FromWorker } from '../../../src/thread/messages.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { ALL, lend, NumberedSink, numberedFrame, RingRig, TO, vethPair } from './ring-rig.ts'

const skip = needs('linux', 'root', 'ip', 'tcpreplay')
const C = CAPTURE_COUNTERS.index
const ID = 7
/** Rounded up to the smallest ring, of two blocks. */
const SMALLEST = 1
/** More frames than such a ring holds. */
const TOO_MANY = 4000
const ETHERNET_BYTES = 14
const IPV4_BYTES = 20

/** Also records whose flows have ended. */
class Sink extends NumberedSink {
  readonly ended: number[] = []

  override removeInterface(id?: number): void {
    this.ended.push(id ?? -1)
  }
}

/** Waits until every frame that was sent has passed the filter. */
const settle = (): unknown => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SETTLE_MS)

class Rig extends RingRig {
  readonly sink = new Sink()
  readonly posted: FromWorker[] = []

  use(lent: LentSocket, secret = 0): WorkerSocket {
    return new WorkerSocket(lent, secret, this.sink, (message) => void this.posted.push(message))
  }

  override transmit(numbers: readonly number[]): void {
    super.transmit(numbers)
    settle()
  }

  /** Delivers every ready block. @returns for each whether the ring has turned out to be too small */
  deliver(socket: WorkerSocket, now = 0): boolean[] {
    const short: boolean[] = []
    for (; socket.ring.readyBytes > 0; socket.ring.release()) short.push(socket.deliverBlock(this.sink, now))
    return short
  }

  /** Closes a socket to new frames and reads it to its end. */
  readToEnd(socket: WorkerSocket): void {
    if (socket.closeAt === Number.POSITIVE_INFINITY) socket.closeToNewFrames(0)
    settle()
    socket.advance(socket.closeAt)
    this.deliver(socket)
  }
}

const rigOf = (t: TestContext): Rig => new Rig(t, vethPair(t))

/** What decides whether frames pass. */
type Step =
  | { do: 'send' }
  | { do: 'shed' | 'shed less'; keep: number }
  /** The main thread has attached another filter. */
  | { do: 'filter'; onlyPorts: CaptureRules['onlyPorts'] }
  | { do: 'redirect'; port: number }

const keep = fc.oneof(fc.constant(KEEP_ALL), fc.integer({ min: 1, max: KEEP_ALL - 1 }))
/** Every other group of five ports, and no source port. */
const SOME_PORTS = Array.from({ length: 40 }, (_, i) => ({ first: 10 * i + 5, last: 10 * i + 9 }))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('send' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('shed' as const, 'shed less' as const), keep }) },
  fc.record({ do: fc.constant('filter' as const), onlyPorts: fc.constantFrom(null, SOME_PORTS) }),
  fc.record({ do: fc.constant('redirect' as const), port: fc.constantFrom(0, 15_001) }),
)

const SEND: Step = { do: 'send' }
/** Every change that has an effect, and those that must have none. */
const EXAMPLE: Step[] = [
  ...[{ do: 'shed', keep: KEEP_ALL / 2 } as const, SEND],
  ...[{ do: 'shed less', keep: KEEP_ALL / 8 } as const, SEND],
  ...[{ do: 'filter', onlyPorts: SOME_PORTS } as const, SEND],
  ...[{ do: 'shed less', keep: (KEEP_ALL * 3) / 4 } as const, SEND],
  ...[{ do: 'redirect', port: 15_001 } as const, { do: 'shed', keep: KEEP_ALL / 4 } as const, SEND],
]

test('WorkerSocket: model: the kernel keeps connections below the threshold that pass the filter', { skip }, (t) => {
  const pair = vethPair(t)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), fc.integer(), (steps, secret) => {
      const rig = new Rig(t, pair)
      const opened = rig.openSocket()
      rig.sockets.bind(opened)
      const lent = lend(opened, ID)
      const socket = rig.use(lent, secret)
      const hash = (number: number): number => {
        const view = new DataView(numberedFrame(number).buffer)
        return flowHash(view, 4, ETHERNET_BYTES, ETHERNET_BYTES + IPV4_BYTES, secret) & 0xffff
      }
      const model = { threshold: KEEP_ALL, isRedirected: false, onlyPorts: null as CaptureRules['onlyPorts'] }
      const passes = (number: number): boolean =>
        hash(number) < model.threshold &&
        (model.onlyPorts?.some(({ first, last }) => number >= first && number <= last) ?? true)
      const expected: number[] = []
      for (const one of steps) {
        if (one.do === 'send') expected.push(...rig.send().filter(passes))
        else if (one.do === 'redirect') {
          lent.proxyPort[0] = one.port
          model.isRedirected = one.port !== 0
        } else if (one.do === 'filter') {
          model.onlyPorts = one.onlyPorts
          socket.setProgram(rig.sockets.filter(opened, { ...ALL, onlyPorts: one.onlyPorts }))
          if (model.isRedirected) model.threshold = KEEP_ALL
        } else if (one.do === 'shed') {
          socket.shedInKernel(one.keep)
          model.threshold = model.isRedirected ? KEEP_ALL : one.keep
        } else {
          socket.shedLessInKernel(one.keep)
          if (one.keep > model.threshold) model.threshold = model.isRedirected ? KEEP_ALL : one.keep
        }
      }
      rig.readToEnd(socket)
      assert.deepEqual(rig.sink.numbers(ID), expected)
    }),
    { numRuns: propertyRuns(30), examples: [[EXAMPLE, 1]] },
  )
})

test('WorkerSocket: estimates the frames that the kernel has shed', { skip }, (t) => {
  const rig = rigOf(t)
  const lent = rig.open(ID)
  const socket = rig.use(lent)
  socket.shedInKernel(1)
  rig.send(20 * SHED_SAMPLE_RATE)
  rig.readToEnd(socket)
  assert.equal(lent.counters[C.kernelShed], 0)
  socket.countKernelDrops()
  const shed = lent.counters[C.kernelShed]
  assert.ok(shed > 0 && shed % SHED_SAMPLE_RATE === 0 && shed < 60 * SHED_SAMPLE_RATE, `${shed}`)
  assert.ok(rig.sink.numbers(ID).length < SHED_SAMPLE_RATE)
})

test('WorkerSocket: a ring that is too small is reported once, and every frame that it lost is counted', {
  skip,
}, (t) => {
  for (const mayGrow of [true, false]) {
    const rig = rigOf(t)
    const opened = rig.openSocket({ ...ALL, onlyAddresses: [TO] }, SMALLEST)
    rig.sockets.bind(opened)
    const lent = { ...lend(opened, ID), mayGrow }
    const socket = rig.use(lent)
    const sent = rig.send(TOO_MANY)
    const short = rig.deliver(socket)
    assert.deepEqual(short, [false, mayGrow])
    const delivered = rig.sink.numbers(ID)
    assert.deepEqual(delivered, sent.slice(0, delivered.length))
    const lost = TOO_MANY - delivered.length
    assert.ok(lost > 0)
    assert.deepEqual([socket.countKernelDrops(), socket.countKernelDrops()], [lost, 0])
    assert.equal(lent.counters[C.kernelDropped], lost)
  }
})

test('WorkerSocket: closed to new frames, it is read to its end, and then ends its flows', { skip }, (t) => {
  const rig = rigOf(t)
  const socket = rig.use(rig.open(ID))
  const sent = rig.send()
  const now = performance.now()
  socket.closeToNewFrames(now)
  socket.shedInKernel(KEEP_ALL / 2)
  rig.send()
  const end = now + SETTLE_MS
  socket.advance(end - 1)
  assert.deepEqual([socket.ring.readyBytes, socket.isDone(end - 1)], [0, false])
  socket.advance(end)
  assert.ok(socket.ring.readyBytes > 0)
  assert.deepEqual([socket.isDone(end), socket.isOverdue(end), socket.isOverdue(end + 1000)], [false, false, true])
  rig.deliver(socket)
  assert.ok(socket.isDone(end))
  assert.deepEqual(rig.sink.numbers(ID), sent)
  socket.end(rig.sink)
  assert.deepEqual(rig.sink.ended, [ID])
})

test('WorkerSocket: a restarted worker’s socket lets frames in again, unless it was closed or replaced', {
  skip,
}, (t) => {
  for (const state of [{}, { closing: true }, { replaced: true }]) {
    const rig = rigOf(t)
    const lent = rig.open(ID)
    rig.use(lent).closeToNewFrames(0)
    const socket = rig.use({ ...lent, ...state })
    const sent = rig.send()
    rig.readToEnd(socket)
    assert.deepEqual(rig.sink.numbers(ID), Object.keys(state).length === 0 ? sent : [])
  }
})

test('WorkerSocket: a successor delivers what its predecessor has not, in order, and its end is that of the flows', {
  skip,
}, (t) => {
  const rig = rigOf(t)
  const firstLent = rig.open(ID)
  const [first, second] = [rig.use(firstLent), rig.use(rig.open(ID, false))]
  const sent = rig.send()
  second.takeOver(first, 0)
  assert.deepEqual([first.replaced, second.replaced, second.waits], [true, false, true])
  sent.push(...rig.send())
  second.advance(SETTLE_MS - 1)
  assert.equal(first.closeAt, Number.POSITIVE_INFINITY)
  second.advance(SETTLE_MS)
  assert.equal(first.closeAt, 2 * SETTLE_MS)
  sent.push(...rig.send())
  rig.readToEnd(first)
  assert.deepEqual(rig.sink.numbers(ID), sent.slice(0, (2 * sent.length) / 3))
  assert.ok(second.waits)
  second.advance(2 * SETTLE_MS)
  assert.equal(second.waits, false)
  first.end(rig.sink)
  rig.readToEnd(second)
  assert.deepEqual(rig.sink.numbers(ID), sent)
  assert.deepEqual(rig.sink.ended, [])
  second.end(rig.sink)
  assert.deepEqual(rig.sink.ended, [ID])
})

test('WorkerSocket: after a switch, frames that were captured before it are delivered again', { skip }, (t) => {
  const rig = rigOf(t)
  const [first, second] = [rig.use(rig.open(ID)), rig.use(rig.open(ID, false))]
  const repeated = rig.send()
  const sent = [...repeated]
  second.takeOver(first, 0)
  second.advance(SETTLE_MS)
  rig.readToEnd(first)
  second.advance(first.closeAt)
  // More than a block, which may have been shared.
  sent.push(...rig.send(1000), ...repeated)
  rig.transmit(repeated)
  rig.readToEnd(second)
  assert.deepEqual(rig.sink.numbers(ID), sent)
})

test('WorkerSocket: what a replaced ring drops is not lost, because its successor has it', { skip }, (t) => {
  const rig = rigOf(t)
  const small = rig.openSocket(ALL, SMALLEST)
  rig.sockets.bind(small)
  const lent = lend(small, ID)
  const [first, second] = [rig.use(lent), rig.use(rig.open(ID, false))]
  second.takeOver(first, 0)
  const sent = rig.send(TOO_MANY)
  rig.readToEnd(first)
  assert.ok(rig.sink.numbers(ID).length < TOO_MANY)
  assert.equal(first.countKernelDrops(), 0)
  second.advance(SETTLE_MS)
  second.advance(first.closeAt)
  rig.readToEnd(second)
  assert.deepEqual(rig.sink.numbers(ID), sent)
  second.end(rig.sink)
  assert.equal(lent.counters[C.kernelDropped], 0)
})

test('WorkerSocket: takes over from a socket whose interface has just been deleted', { skip }, (t) => {
  const pair = vethPair(t)
  const rig = new Rig(t, pair)
  const [first, second] = [rig.use(rig.open(ID)), rig.use(rig.open(ID, false))]
  const sent = rig.send()
  pair[1].ip('link', 'delete', 'eth0')
  second.takeOver(first, 0)
  assert.equal(first.closeAt, SETTLE_MS)
  assert.ok(second.watch.isSeeking)
  rig.readToEnd(first)
  assert.deepEqual(rig.sink.numbers(ID), sent)
  second.watch.check()
  assert.deepEqual(rig.posted, [{ t: 'interfaceLost', interfaceId: ID, name: 'eth0', reason: 'deleted' }])
})
