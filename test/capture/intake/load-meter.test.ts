import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Backlog } from '../../../src/capture/frame-sink.ts'
import { KEEP_ALL } from '../../../src/capture/intake/flow-shedder.ts'
import { LoadMeter } from '../../../src/capture/intake/load-meter.ts'
import { allocateRing, RingLevel, RingProducer } from '../../../src/ring/byte-ring.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { Control } from '../../../src/thread/control.ts'

const EMPTY: Backlog = { bytes: 0, fullest: 0, capacity: 1_000_000, lost: 0 }
const FULL: Backlog = { bytes: 1_000_000, fullest: 1_000_000, capacity: 1_000_000, lost: 100 }

/** A meter whose time passes in steps of 10 ms, with 100 frames of 1 KB in each. */
class Rig {
  nowMs = 0
  backlog = EMPTY
  readonly pairRing = allocateRing(4096)
  readonly control = new Control(Control.allocate())
  readonly meter: LoadMeter

  constructor(shedForCpu = 0) {
    this.control.shedForCpu = shedForCpu
    const ring = new RingProducer(allocateRing(1024 * 1024), new Doorbell(Doorbell.allocate()))
    const pairRings = [new RingLevel(this.pairRing)]
    this.meter = new LoadMeter({ rings: [ring], pairRings, control: this.control, clock: () => this.nowMs })
    this.meter.watchBacklog(() => this.backlog)
  }

  /** @returns the threshold after so many milliseconds */
  pass(ms: number): number {
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      for (let frame = 0; frame < 100; frame++) this.meter.addKept(1000)
      this.nowMs += 10
      this.meter.update()
    }
    return this.meter.threshold
  }
}

test('load meter: keeps all connections while the buffers hold what arrives', () => {
  const rig = new Rig()
  rig.backlog = { ...FULL, lost: 0 }
  assert.equal(rig.pass(2000), KEEP_ALL)
})

test('load meter: sheds for limits.cpu from the first frame on, and follows it', () => {
  const rig = new Rig(KEEP_ALL / 2)
  assert.equal(rig.meter.threshold, KEEP_ALL / 2)
  rig.control.shedForCpu = 0
  assert.equal(rig.pass(10), KEEP_ALL)
})

test('load meter: sheds connections once the source has overflowed for 200 ms, and keeps all again when it is empty', () => {
  const rig = new Rig()
  rig.backlog = FULL
  assert.equal(rig.pass(190), KEEP_ALL)
  assert.ok(rig.pass(20) < KEEP_ALL)
  rig.backlog = EMPTY
  assert.equal(rig.pass(5000), KEEP_ALL)
})

test('load meter: counts frames without room in their ring as an overflow', () => {
  const rig = new Rig()
  const thresholds = Array.from({ length: 30 }, () => {
    rig.meter.addLost()
    return rig.pass(50)
  })
  // Two periods of at most 40 ms each count, then it rises again, because the rings are empty.
  assert.equal(
    thresholds.findIndex((threshold) => threshold < KEEP_ALL),
    1,
  )
})

test('load meter: sheds connections while a pair ring is nearly full', () => {
  const rig = new Rig()
  assert.equal(rig.pass(500), KEEP_ALL)
  const pairs = new RingProducer(rig.pairRing, new Doorbell(Doorbell.allocate()))
  for (const bytes of [2000, 1400]) {
    pairs.tryClaim(bytes)
    pairs.commit()
    pairs.flush()
  }
  assert.ok(rig.pass(500) < KEEP_ALL)
})

test('load meter: the lower of its threshold and that of limits.cpu applies, and it reports only its own', () => {
  const rig = new Rig()
  rig.control.shedForCpu = KEEP_ALL / 2
  assert.equal(rig.pass(10), KEEP_ALL / 2)
  assert.equal(rig.control.shedForOverload, 0)
  rig.backlog = FULL
  const threshold = rig.pass(5000)
  assert.ok(threshold < KEEP_ALL / 2)
  assert.equal(rig.control.shedForOverload, KEEP_ALL - threshold)
})
