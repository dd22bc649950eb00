import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { KEEP_ALL, KEEP_LEAST } from '../../../src/capture/intake/flow-shedder.ts'
import { Intake } from '../../../src/capture/intake/intake.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'
import { countCaptureLosses } from '../../../src/ledger/crash-losses.ts'
import { allocateRing, FULL, RingConsumer, RingProducer } from '../../../src/ring/byte-ring.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { FRAME, FRAME_FIELDS_BYTES, INTERFACE, INTERFACE_GONE, TICK } from '../../../src/ring/layout.ts'
import { COMMAND_STOP, Control } from '../../../src/thread/control.ts'
import { collectGarbage } from '../../support/collect-garbage.ts'
import { ethernet, packet, tcp } from '../../support/frames.ts'
import { concat, IntakeRig, tcpFrame } from '../support.ts'

const INFO = { name: 'eth0', vantage: 'file', mesh: null, domain: 0, vantagePoint: null } as const

const v4 = (protocol: number, payload: Uint8Array): Uint8Array =>
  ethernet({ payload: packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol, payload }) })

test('Intake: passes a complete frame through the ring, at any offset of its source', () => {
  for (let at = 0; at < 16; at++) {
    for (const length of [0, 1, 5, 8, 100, 1400, 1546, 1600, 9000]) {
      const rig = new IntakeRig()
      const frame = tcpFrame(length)
      rig.push(frame, { at, micros: 1e15 + 7 })
      const [record] = rig.take()
      assert.deepEqual(record.packet, frame.subarray(14))
      assert.deepEqual([record.tag, record.micros, record.tcpOffset], [FRAME, 1e15 + 7, 20])
      assert.equal(record.frameOffset - 14, FRAME_FIELDS_BYTES + (at & 7))
    }
  }
})

test('Intake: counts frames in the block of their interface', () => {
  const shared = allocateRing(64 * 1024)
  const blocks = [0, 1].map(() => allocateCounters(CAPTURE_COUNTERS))
  const bell = new Doorbell(Doorbell.allocate())
  const intake = new Intake({
    rings: [new RingProducer(shared, bell)],
    counters: blocks[0],
    whenFull: 'drop',
    bell,
    control: new Control(Control.allocate()),
  })
  const frame = tcpFrame(10)
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  for (const block of [0, 1, 1]) {
    intake.countInto(blocks[block])
    intake.frame(frame, view, 0, frame.length, frame.length, 1, block)
  }
  const { seen, queued, bytesCaptured } = CAPTURE_COUNTERS.index
  assert.deepEqual(
    blocks.map((block) => [block[seen], block[queued], block[bytesCaptured]]),
    [
      [1, 1, frame.length],
      [2, 2, 2 * frame.length],
    ],
  )
})

test('Intake: copying by words never modifies neighbouring records', () => {
  const rig = new IntakeRig({ capacity: 8192 })
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(200), fc.nat(40), fc.nat(255)), { maxLength: 25 }), (frames) => {
      for (const [length, at, fill] of frames) rig.push(tcpFrame(length, [1, 2], fill), { at })
      const packets = rig.take().map((record) => record.packet)
      assert.deepEqual(
        packets,
        frames.map(([length, , fill]) => tcpFrame(length, [1, 2], fill).subarray(14)),
      )
    }),
  )
})

test('Intake: removes link-layer padding', () => {
  const rig = new IntakeRig()
  rig.push(concat([tcpFrame(0), new Uint8Array(6).fill(0xff)]))
  assert.equal(rig.take()[0].packet.length, 40)
})

test('Intake: sends both directions of a connection to one ring, and uses all rings', () => {
  const rig = new IntakeRig({ rings: 3 })
  for (let port = 0; port < 300; port++) rig.push(tcpFrame(0, [1000 + port, 80]))
  const loads = [0, 1, 2].map((slot) => rig.take(slot).length)
  assert.ok(
    loads.every((load) => load > 50),
    `${loads}`,
  )
  const one = packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(5, 6) })
  const other = packet({ source: [10, 0, 0, 2], destination: [10, 0, 0, 1], protocol: 6, payload: tcp(6, 5) })
  rig.push(ethernet({ payload: one }))
  rig.push(ethernet({ payload: other }))
  const pair = [0, 1, 2].map((slot) => rig.take(slot)).filter((records) => records.length > 0)
  assert.equal(pair.length, 1)
  assert.equal(pair[0][0].word0, pair[0][1].word0)
})

test('Intake: counts frames that are not queued by reason', () => {
  const rig = new IntakeRig()
  rig.push(v4(17, tcp(1, 2)))
  rig.push(ethernet({ ethertype: 0x0806, payload: new Uint8Array(28) }))
  rig.push(v4(6, tcp(1, 2).subarray(0, 12)))
  rig.push(tcpFrame(), { linkType: 105 })
  const huge = tcpFrame(600_000)
  huge.set([0, 0], 16)
  rig.push(huge)
  rig.push(tcpFrame(10))
  rig.intake.finish()
  const counted = (['skippedNonTcp', 'skippedMalformed', 'skippedLinkType', 'droppedOversize', 'queued'] as const).map(
    (name) => rig.count(name),
  )
  assert.deepEqual(counted, [2, 1, 1, 1, 1])
  assert.deepEqual(rig.law(), { seen: 6, accounted: 6 })
})

test('Intake: a packet truncated by the snap length is queued, and counted', () => {
  const rig = new IntakeRig()
  const frame = tcpFrame(100)
  rig.push(frame.subarray(0, frame.length - 30), { wireLength: frame.length })
  assert.equal(rig.count('truncated'), 1)
  assert.equal(rig.take()[0].packet.length, 40 + 70)
})

test('Intake: interfaces are announced in every ring, before their frames', () => {
  const rig = new IntakeRig({ rings: 2 })
  rig.intake.addInterface(7, INFO)
  for (let port = 0; port < 20; port++) rig.push(tcpFrame(0, [port, 80]))
  rig.intake.stamp.micros = 123
  rig.intake.tick()
  rig.intake.removeInterface(7)
  for (const slot of [0, 1]) {
    const records = rig.take(slot)
    assert.deepEqual([records[0].tag, records[0].word1], [INTERFACE, 7])
    assert.deepEqual(JSON.parse(new TextDecoder().decode(records[0].packet)), INFO)
    assert.deepEqual([records.at(-2)!.tag, records.at(-2)!.micros], [TICK, 123])
    assert.deepEqual([records.at(-1)!.tag, records.at(-1)!.word1], [INTERFACE_GONE, 7])
  }
})

test('Intake: a tick does not wake an assembler, a frame does', () => {
  const shared = Doorbell.allocate()
  const intake = new Intake({
    rings: [new RingProducer(allocateRing(64 * 1024), new Doorbell(shared))],
    counters: allocateCounters(CAPTURE_COUNTERS),
    whenFull: 'drop',
    bell: new Doorbell(Doorbell.allocate()),
    control: new Control(Control.allocate()),
  })
  const [SLEEPING, RINGS] = [0, 1]
  const words = new Int32Array(shared)
  const rings = (act: () => void): number => {
    words[SLEEPING] = 1
    const before = words[RINGS]
    act()
    return words[RINGS] - before
  }
  const frame = tcpFrame(10)
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  assert.equal(
    rings(() => intake.tick()),
    0,
  )
  intake.frame(frame, view, 0, frame.length, frame.length, 1, 1)
  assert.equal(
    rings(() => intake.tick()),
    1,
    'what was committed before is not delayed',
  )
})

test('Intake: a full ring drops frames in live capture, never control records or their order', () => {
  const rig = new IntakeRig({ capacity: 4096 })
  for (let i = 0; i < 100; i++) rig.push(tcpFrame(100))
  assert.ok(rig.count('droppedRing') > 50)
  rig.intake.addInterface(3, INFO)
  rig.push(tcpFrame(0, [1, 2]))
  const queued = rig.count('queued')
  const first = rig.take()
  assert.equal(first.filter(({ tag }) => tag === FRAME).length, queued)
  rig.push(tcpFrame(0, [3, 4]))
  const after = rig.take()
  assert.deepEqual(
    after.map(({ tag }) => tag),
    [INTERFACE, FRAME],
  )
  rig.intake.finish()
  assert.equal(rig.law().accounted, rig.law().seen)
})

test('Intake: drops and counts a frame that waits for room when it is stopped', () => {
  const rig = new IntakeRig({ capacity: 4096, whenFull: 'wait' })
  while (rig.producers[0].used < 3900) rig.push(tcpFrame(0))
  rig.control.command = COMMAND_STOP
  rig.push(tcpFrame(1000))
  assert.equal(rig.count('droppedRing'), 1)
  rig.intake.addInterface(1, INFO)
  rig.intake.finish()
  assert.equal(rig.law().accounted, rig.law().seen)
})

test('Intake: counts the frame that is in the ring when its thread fails right after that', () => {
  class Failing extends Doorbell {
    override ring(): void {
      throw new Error('fails to wake')
    }
  }
  const shared = allocateRing(64 * 1024)
  const counters = allocateCounters(CAPTURE_COUNTERS)
  const bell = new Doorbell(Doorbell.allocate())
  const rings = [new RingProducer(shared, new Failing(Doorbell.allocate()))]
  const intake = new Intake({ rings, counters, whenFull: 'drop', bell, control: new Control(Control.allocate()) })
  // So large that it is published at once.
  const frame = tcpFrame(20_000)
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  assert.throws(() => intake.frame(frame, view, 0, frame.length, frame.length, 1, 0), /fails to wake/)
  assert.equal(new RingConsumer(shared, null).empty, false)
  countCaptureLosses([counters], counters)
  const { seen, queued, droppedCrash } = CAPTURE_COUNTERS.index
  assert.deepEqual([counters[seen], counters[queued], counters[droppedCrash]], [1, 1, 0])
})

test('Intake: sheds connections while a pair ring is nearly full', () => {
  let now = 0
  const pairRing = allocateRing(4096)
  const bell = new Doorbell(Doorbell.allocate())
  const pairs = new RingProducer(pairRing, bell)
  const counters = allocateCounters(CAPTURE_COUNTERS)
  const intake = new Intake({
    rings: [new RingProducer(allocateRing(1024 * 1024), bell)],
    counters,
    whenFull: 'drop',
    bell,
    control: new Control(Control.allocate()),
    pairRings: [pairRing],
    clock: () => (now += 100),
  })
  const send = (): void => {
    for (let port = 1; port <= 200; port++) {
      const frame = tcpFrame(10, [port, 80])
      intake.frame(frame, new DataView(frame.buffer), 0, frame.length, frame.length, 1, 0)
    }
  }
  for (const bytes of [2000, 1400]) {
    assert.notEqual(pairs.tryClaim(bytes), FULL)
    pairs.commit()
    pairs.flush()
    for (let batch = 0; batch < 5; batch++) intake.flush()
    send()
    assert.equal(counters[CAPTURE_COUNTERS.index.droppedShed] > 0, bytes === 1400)
  }
})

test('Intake: sheds for limits.cpu as soon as a batch ends, and reports its own shedding separately', () => {
  const bell = new Doorbell(Doorbell.allocate())
  const counters = allocateCounters(CAPTURE_COUNTERS)
  const control = new Control(Control.allocate())
  const rings = [new RingProducer(allocateRing(1024 * 1024), bell)]
  const intake = new Intake({ rings, counters, whenFull: 'drop', bell, control })
  const shedOf = (shedForCpu: number): number => {
    const before = counters[CAPTURE_COUNTERS.index.droppedShed]
    control.shedForCpu = shedForCpu
    intake.flush()
    for (let port = 1; port <= 200; port++) {
      const frame = tcpFrame(10, [port, 80])
      intake.frame(frame, new DataView(frame.buffer), 0, frame.length, frame.length, 1, 0)
    }
    return counters[CAPTURE_COUNTERS.index.droppedShed] - before
  }
  const [half, most, none] = [KEEP_ALL / 2, KEEP_ALL - KEEP_LEAST, 0].map(shedOf)
  assert.ok(half > 50 && half < 150, String(half))
  assert.ok(most > 190, String(most))
  assert.equal(none, 0)
  assert.equal(control.shedForOverload, 0)
})

test('Intake: reading a file waits for a slow assembler, and loses nothing', async () => {
  const ring = allocateRing(4096)
  const [ownBell, otherBell] = [Doorbell.allocate(), Doorbell.allocate()]
  const slow = new Worker(new URL('../slow-consumer.js', import.meta.url), { workerData: { ring, ownBell, otherBell } })
  const counters = allocateCounters(CAPTURE_COUNTERS)
  const control = new Control(Control.allocate())
  const intake = new Intake({
    rings: [new RingProducer(ring, new Doorbell(otherBell))],
    counters,
    whenFull: 'wait',
    bell: new Doorbell(ownBell),
    control,
  })
  const count = 2000
  const frame = concat([tcpFrame(200), new Uint8Array(8)])
  const view = new DataView(frame.buffer)
  for (let i = 0; i < count; i++) {
    intake.stamp.micros = i
    intake.frame(frame, view, 0, frame.length - 8, frame.length - 8, 1, 0)
  }
  intake.finish()
  const received = await new Promise<number>((resolve, reject) => {
    slow.once('message', resolve)
    slow.once('error', reject)
  })
  assert.equal(received, count)
  assert.equal(counters[CAPTURE_COUNTERS.index.queued], count)
})

test('Intake: half a million frames leave the heap unchanged', () => {
  const rig = new IntakeRig()
  const frame = concat([tcpFrame(100), new Uint8Array(8)])
  const view = new DataView(frame.buffer)
  const consumer = rig.consumers[0]
  const send = (count: number): void => {
    for (let i = 0; i < count; i++) {
      rig.intake.stamp.micros = 1e15 + i
      rig.intake.frame(frame, view, 0, frame.length - 8, frame.length - 8, 1, 0)
      if (i % 1000 === 0) consumer.release(consumer.used)
    }
  }
  send(50_000)
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  send(500_000)
  collectGarbage()
  const grown = process.memoryUsage().heapUsed - before
  assert.ok(grown < 100_000, `${grown} bytes more`)
  assert.equal(rig.count('queued'), 550_000)
})

test('Intake: the law of frames holds for any frames', () => {
  const linkType = fc.constantFrom(0, 1, 9, 12, 101, 105, 108, 113, 228, 229, 276)
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.nat(200), fc.nat(65535)).map(([length, port]) => tcpFrame(length, [port, 80])),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(bytes, linkType, fc.nat(40)), { maxLength: 80, size: 'max' }), (frames) => {
      const rig = new IntakeRig({ rings: 2, capacity: 4096 })
      for (const [frame, type, at] of frames) rig.push(frame, { linkType: type, at })
      rig.intake.finish()
      assert.deepEqual(rig.law(), { seen: frames.length, accounted: frames.length })
      assert.equal(rig.take(0).length + rig.take(1).length, rig.count('queued'))
    }),
  )
})
