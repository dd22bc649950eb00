import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FlowShedder, KEEP_ALL, type LoadPeriod } from '../../../src/capture/intake/flow-shedder.ts'

const PERIOD_MS = 100
const CALM: LoadPeriod = {
  ms: PERIOD_MS,
  frames: 1000,
  kept: 1000,
  waiting: 0,
  servedShare: 1,
  backlog: 0,
  exceeded: false,
}

/** The number of lower halves that are kept, of all possible ones. */
const kept = (shedder: FlowShedder): number => {
  let count = 0
  for (let hash = 0; hash < 0x10000; hash++) if (shedder.keeps(hash)) count++
  return count
}

/**
 * A program that processes `capacity` frames in a period, and buffers three times as many; frames of shed connections cost
 * nothing.
 */
class Model {
  readonly shedder = new FlowShedder()
  #waiting = 0
  /** Kept frames processed, and those lost, in the last period. */
  processed = 0
  lost = 0
  readonly #capacity: number

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  offer(frames: number): void {
    const buffer = 3 * this.#capacity
    const before = this.#waiting
    const arrived = (frames * this.shedder.threshold) / KEEP_ALL
    this.processed = Math.min(this.#capacity, before + arrived)
    this.lost = Math.max(0, before + arrived - this.processed - buffer)
    this.#waiting = before + arrived - this.processed - this.lost
    const growth = Math.max(0, this.#waiting - before)
    this.shedder.endPeriod({
      ms: PERIOD_MS,
      frames: this.processed,
      kept: this.processed,
      waiting: this.#waiting,
      servedShare: this.processed / (this.processed + growth + this.lost),
      backlog: this.#waiting / buffer,
      exceeded: this.lost > 0,
    })
  }
}

test('flow shedder: keeps everything below capacity, whatever the rate, and after a pause', () => {
  const shedder = new FlowShedder()
  for (const count of [1000, 0, 5000, 10, 100_000]) shedder.endPeriod({ ...CALM, kept: count })
  shedder.endPeriod({ ...CALM, servedShare: 0.2, backlog: 0.6 })
  shedder.endPeriod({ ...CALM, backlog: 0.5 })
  assert.equal(kept(shedder), KEEP_ALL)
  assert.equal(shedder.keeps(-1), true)
})

test('flow shedder: overload sheds at once what could not be processed', () => {
  const shedder = new FlowShedder()
  shedder.endPeriod({ ...CALM, servedShare: 1 / 4, backlog: 0.7 })
  const share = kept(shedder) / KEEP_ALL
  assert.ok(share > 0.2 && share < 0.25, String(share))
})

test('flow shedder: losses and a nearly full buffer shed, also when the backlog does not grow', () => {
  for (const period of [
    { ...CALM, exceeded: true },
    { ...CALM, backlog: 0.8 },
  ]) {
    const shedder = new FlowShedder()
    shedder.endPeriod(period)
    assert.ok(kept(shedder) < KEEP_ALL)
  }
})

test('flow shedder: always keeps some connections', () => {
  const shedder = new FlowShedder()
  for (let period = 0; period < 1000; period++) shedder.endPeriod({ ...CALM, servedShare: 0.1, exceeded: true })
  assert.equal(kept(shedder), KEEP_ALL / 256)
})

test('flow shedder: at 1.2 to 40 times capacity 95 % of capacity is used, nothing is lost, and all returns in 5 s', () => {
  for (const times of [1.2, 2, 4, 10, 40]) {
    const model = new Model(10_000)
    for (let period = 0; period < 20; period++) model.offer(times * 10_000)
    let [processed, lost] = [0, 0]
    for (let period = 0; period < 300; period++) {
      model.offer(times * 10_000)
      processed += model.processed
      lost += model.lost
    }
    assert.ok(processed / 300 > 9500, `${times} times: ${processed / 300}`)
    assert.ok(lost < processed / 100, `${times} times: ${lost} lost`)
    for (let period = 0; period < 50; period++) model.offer(1000)
    assert.equal(model.shedder.threshold, KEEP_ALL, `${times} times`)
  }
})

test('flow shedder: a connection kept under more overload is kept under less', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (hashes, served) => {
      const [less, more] = [new FlowShedder(), new FlowShedder()]
      more.endPeriod({ ...CALM, exceeded: true, servedShare: served / 2 })
      less.endPeriod({ ...CALM, exceeded: true, servedShare: served })
      for (const hash of hashes) assert.ok(!more.keeps(hash) || less.keeps(hash))
    }),
  )
})
