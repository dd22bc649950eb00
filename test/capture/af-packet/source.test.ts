/**
 * The loop of a capture worker over real packet sockets, in this thread. The test runs its steps whenever the loop has
 * nothing to read.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import fc from 'fast-check'
import { needs } from '../../../rig/needs.ts'
import type { Namespace } from '../../../rig/netns.ts'
import { runAfPacket } from '../../../src/capture/af-packet/source.ts'
import type { SheddingSink } from '../../../src/capture/frame-sink.ts'
import { KEEP_ALL } from '../../../src/capture/intake/flow-shedder.ts'
import type { LentSocket, ToCapture } from '../../../src/capture/worker-data.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'
import { WakeEvent } from '../../../src/sys/wake-event.ts'
import { COMMAND_DRAIN, COMMAND_STOP, Control } from '../../../src/thread/control.ts'
import { Mailbox } from '../../../src/thread/mailbox.ts'
import type { FromWorker } from '../../../src/thread/messages.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { FRAMES, NumberedSink, RingRig, vethPair } from './ring-rig.ts'

const skip = needs('linux', 'root', 'ip', 'tcpreplay')

/** Records frames by interface, and decides whether there is room. */
class Sink extends NumberedSink implements SheddingSink {
  readonly keepThreshold = KEEP_ALL
  /** Frames that have not been flushed to the assemblers. */
  unflushed = 0
  /** How many more times the sink reports that there is no room. */
  refusals = 0

  hasRoom(): boolean {
    if (this.refusals === 0) return true
    this.refusals -= 1
    return false
  }

  override frame(...args: Parameters<NumberedSink['frame']>): void {
    super.frame(...args)
    this.unflushed += 1
  }

  override flush(): void {
    this.unflushed = 0
  }

  watchBacklog(): void {}
  stepClock(): void {}
  releaseMemory(): void {}
  countInto(): void {}
}

class Rig extends RingRig {
  readonly sink = new Sink()
  readonly posted: FromWorker[] = []
  readonly control = new Control(Control.allocate())
  readonly #event = new WakeEvent()
  readonly #channel = new MessageChannel()

  constructor(t: TestContext, pair: [Namespace, Namespace]) {
    super(t, pair)
    t.after(() => {
      this.#event.close()
      this.#channel.port1.close()
    })
  }

  mail(message: ToCapture): void {
    this.#channel.port1.postMessage(message)
    this.control.announceMail()
    this.#event.signal()
  }

  /** Runs the loop. @param steps called one by one when there is nothing to read; after the last one the loop drains */
  run(sockets: LentSocket[], steps: readonly (() => void)[]): void {
    let step = 0
    // Posted messages are copied, except for shared memory.
    const source = { kind: 'af-packet' as const, sockets, wakeFd: this.#event.fd }
    runAfPacket(source, {
      sink: this.sink,
      control: this.control,
      mail: new Mailbox<ToCapture>(this.#channel.port2, this.control),
      counters: allocateCounters(CAPTURE_COUNTERS),
      secret: 0,
      post: (message) => this.posted.push(message),
      warmUp: () => {
        assert.equal(this.sink.unflushed, 0, 'frames wait while there is nothing to read')
        if (step < steps.length) steps[step++]()
        else if (this.control.running) this.control.command = COMMAND_DRAIN
        return 1
      },
    })
  }
}

test('af-packet source: a drain reads what the rings hold, in order, and ends', { skip }, (t) => {
  const rig = new Rig(t, vethPair(t))
  const socket = rig.open(7)
  const sent = rig.send()
  const beats: number[] = []
  const noteBeat = (): void => void beats.push(rig.control.heartbeat)
  rig.run([socket], [() => void sent.push(...rig.send()), noteBeat, noteBeat])
  assert.deepEqual(rig.sink.numbers(7), sent)
  assert.deepEqual(rig.posted, [])
  assert.ok(beats[0] > 0 && beats[1] > beats[0], beats.join())
})

test('af-packet source: a stop ends at once, whatever the rings hold', { skip }, (t) => {
  const rig = new Rig(t, vethPair(t))
  const socket = rig.open(7)
  rig.send()
  rig.control.command = COMMAND_STOP
  rig.run([socket], [])
  assert.deepEqual(rig.sink.numbers(7), [])
})

/** Events on two interfaces while frames arrive. */
const STEPS = ['send', 'open', 'close', 'replace', 'full'] as const

/** What each interface is expected to deliver. All sockets see the same frames. */
class Model {
  readonly expected = new Map<number, number[]>()
  readonly open = new Set<number>()

  sent(numbers: readonly number[]): void {
    for (const id of this.open) this.expected.get(id)?.push(...numbers)
  }

  opened(id: number): void {
    this.open.add(id)
    this.expected.set(id, [])
  }
}

test('af-packet source: as sockets are opened, replaced and closed, each interface delivers its frames once and in order', {
  skip,
}, (t) => {
  const pair = vethPair(t)
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...STEPS), { maxLength: 10 }), (names) => {
      const rig = new Rig(t, pair)
      const model = new Model()
      const first = rig.open(1)
      model.opened(1)
      let [ids, replaced] = [1, 0]
      /**
       * An interface has two sockets until the first one has been read to its end; meanwhile both receive frames, even
       * after a close.
       */
      const switching = (): boolean => rig.posted.filter((message) => message.t === 'replaced').length < replaced
      const act = (name: (typeof STEPS)[number]): void => {
        const [oldest] = model.open
        if (name === 'send') model.sent(rig.send())
        else if (name === 'full') rig.sink.refusals = 5
        else if (name === 'open') {
          model.opened(++ids)
          rig.mail({ t: 'open', socket: rig.open(ids) })
        } else if (oldest === undefined || switching()) return
        else if (name === 'close') {
          model.open.delete(oldest)
          rig.mail({ t: 'close', interfaceId: oldest })
        } else {
          replaced += 1
          rig.mail({ t: 'replace', socket: rig.open(oldest, false) })
        }
      }
      // The loop runs the next step when it has no frames to read, and reads messages in between.
      const steps = names.flatMap((name) => [() => act(name), () => {}, () => {}])
      rig.run([first], steps)
      for (const [id, numbers] of model.expected) assert.deepEqual(rig.sink.numbers(id), numbers, `interface ${id}`)
      const ends = rig.posted.flatMap((message) => (message.t === 'closed' ? [message.interfaceId] : []))
      // While sockets are being closed, a drain reports each that has ended.
      assert.ok(ends.every((id) => model.expected.has(id)))
      assert.equal(new Set(ends).size, ends.length)
    }),
    { numRuns: propertyRuns(40) },
  )
})

test('af-packet source: a closed interface is reported once its frames are delivered, and the others continue', {
  skip,
}, (t) => {
  const rig = new Rig(t, vethPair(t))
  const [one, other] = [rig.open(1), rig.open(2)]
  const before: number[] = []
  const after: number[] = []
  let deliveredAtEnd = -1
  const close = (): void => {
    before.push(...rig.send())
    rig.mail({ t: 'close', interfaceId: 1 })
  }
  const send = (): void => {
    deliveredAtEnd = rig.sink.numbers(1).length
    after.push(...rig.send())
  }
  const untilClosed = Array.from({ length: 1000 }, () => () => {
    if (after.length === 0 && rig.posted.length > 0) send()
  })
  rig.run([one, other], [close, ...untilClosed])
  assert.deepEqual(rig.posted, [{ t: 'closed', interfaceId: 1 }])
  assert.equal(deliveredAtEnd, before.length)
  assert.deepEqual(rig.sink.numbers(1), before)
  assert.deepEqual(rig.sink.numbers(2), [...before, ...after])
})

test('af-packet source: a replaced socket is read to its end and reported, and its successor continues', {
  skip,
}, (t) => {
  const rig = new Rig(t, vethPair(t))
  const first = rig.open(1)
  const sent: number[] = []
  const replace = (): void => {
    sent.push(...rig.send())
    rig.mail({ t: 'replace', socket: rig.open(1, false) })
  }
  let seen = 0
  const untilReplaced = Array.from({ length: 1000 }, () => () => {
    if (rig.posted.length > seen) sent.push(...rig.send())
    seen = rig.posted.length
  })
  rig.run([first], [replace, ...untilReplaced])
  assert.deepEqual(rig.posted[0], { t: 'replaced', interfaceId: 1 })
  assert.equal(sent.length, 2 * FRAMES)
  assert.deepEqual(rig.sink.numbers(1), sent)
})

test('af-packet source: frames wait in the ring for room; a drain waits only for a limited time', {
  skip,
}, (t) => {
  const rig = new Rig(t, vethPair(t))
  const socket = rig.open(1)
  const sent = rig.send()
  rig.sink.refusals = Number.POSITIVE_INFINITY
  rig.control.command = COMMAND_DRAIN
  rig.run([socket], [])
  assert.deepEqual(rig.sink.numbers(1), sent)
})
