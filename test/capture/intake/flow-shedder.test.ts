import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Random } from '../../../bench/traffic/random.ts'
import { FlowShedder, isKept, KEEP_ALL, type LoadPeriod } from '../../../src/capture/intake/flow-shedder.ts'

const CALM: LoadPeriod = {
  ms: 50,
  served: 1000,
  grown: 0,
  lost: 0,
  fill: 0,
  capacity: 10_000,
  isSourceOnly: false,
  outputFull: false,
  hasQuota: false,
}
/** Eight consecutive ones are an overload. */
const OVERFLOWING: LoadPeriod = { ...CALM, ms: 10, lost: 2000, fill: 1 }

/** The number of lower halves that are kept, of all possible ones. */
const kept = (shedder: FlowShedder): number => {
  let count = 0
  for (let hash = 0; hash < 0x10000; hash++) if (isKept(hash, shedder.threshold)) count++
  return count
}

/** The periods of load-meter.ts. */
const PERIOD_MS = 50
const HASTE_MS = 10
const URGENT_SHARE = 1 / 4

/** A simulated program, in bytes per millisecond and bytes. */
interface Program {
  /** Its capacity, as a function of its working time. */
  pace: (workedMs: number) => number
  buffer: number
  /** The share of the time in which its CPU quota lets it run; default: always. */
  quota?: number
}

/** A buffer of 0.8 s, as with little CPU. */
const SLOW: Program = { pace: () => 15_000, buffer: 12_000_000 }
/** A buffer of 50 ms, as at full speed. */
const FAST: Program = { pace: () => 800_000, buffer: 40_000_000 }
/** It becomes eight times as fast once V8 has optimised the code, after 150 ms of work. */
const COLD: Program = { pace: (workedMs) => (workedMs < 150 ? 60_000 : 500_000), buffer: 40_000_000 }

/** On a busy machine, where the first second is slow. */
const COLD_AND_BUSY: Program = { pace: (workedMs) => (workedMs < 1000 ? 40_000 : 400_000), buffer: 40_000_000 }

/**
 * A kernel ring in front of a program that may use a fifth of a core: it runs for a few milliseconds, and then stands still for four
 * times as long, or for several times that.
 */
const THROTTLED: Program = { pace: () => 700_000, buffer: 8_000_000, quota: 0.2 }

/** Outcome of the bytes since the last check. */
interface Tally {
  offered: number
  processed: number
  lost: number
  /** Bytes that could have been processed. */
  available: number
}

/**
 * A program that processes bytes of kept connections out of a buffer; those of shed connections cost nothing. On a busy
 * machine it pauses once a second for up to a quarter of its buffer's time, at most 200 ms, and its speed varies by up
 * to a quarter.
 */
class Model {
  readonly shedder = new FlowShedder()
  readonly #program: Program
  readonly #sheds: boolean
  readonly #random: Random | null
  #waiting = 0
  #now = 0
  #workedMs = 0
  #period = { start: 0, served: 0, lost: 0, waiting: 0 }
  #standsUntil = 0
  #runsUntil = 0
  #paceUntil = 0
  #pace = 1
  #tally: Tally = { offered: 0, processed: 0, lost: 0, available: 0 }

  /** @param seed of the disturbances; null: the machine is quiet */
  constructor(program: Program, seed: number | null = null, sheds = true) {
    this.#program = program
    this.#sheds = sheds
    this.#random = seed === null ? null : new Random(seed)
  }

  /** @param rate bytes per millisecond, for `ms` */
  offer(rate: number, ms: number): Tally {
    this.#tally = { offered: 0, processed: 0, lost: 0, available: 0 }
    for (let i = 0; i < ms; i++) this.#step(rate)
    return this.#tally
  }

  /** Processes what waits. */
  drain(): Tally {
    const tally = this.offer(0, 1)
    while (this.#waiting > 0) this.#step(0)
    return tally
  }

  #step(offered: number): void {
    const { buffer, pace } = this.#program
    this.#now += 1
    const arrived = (offered * this.shedder.threshold) / KEEP_ALL
    const lost = Math.max(0, this.#waiting + arrived - buffer)
    this.#waiting += arrived - lost
    const available = pace(this.#workedMs) * this.#disturbance()
    const processed = Math.min(available, this.#waiting)
    this.#workedMs += processed / pace(this.#workedMs)
    this.#waiting -= processed
    this.#period.served += processed
    this.#period.lost += lost
    const tally = this.#tally
    tally.offered += offered
    tally.processed += processed
    tally.lost += lost
    tally.available += available
    if (available > 0 && this.#sheds) this.#endPeriod()
  }

  /** 0 while it is paused. */
  #disturbance(): number {
    const random = this.#random
    if (random === null) return 1
    const { buffer, pace, quota } = this.#program
    if (quota !== undefined) return this.#throttle(random, quota)
    const longest = Math.min(200, buffer / pace(this.#workedMs) / 4)
    if (this.#now >= this.#standsUntil && random.chance(1 / 1000)) {
      this.#standsUntil = this.#now + longest * random.next()
    }
    if (this.#now >= this.#paceUntil) {
      this.#paceUntil = this.#now + 200 + 800 * random.next()
      this.#pace = 0.75 + random.next() / 2
    }
    return this.#now < this.#standsUntil ? 0 : this.#pace
  }

  /** One pause in four is three times as long as the average one. @returns 0 while it stands still */
  #throttle(random: Random, quota: number): number {
    if (this.#now >= this.#standsUntil) {
      const runs = 1 + Math.floor(4 * random.next())
      const stands = runs * (1 / quota - 1) * (random.chance(1 / 4) ? 3 : 1 / 3)
      this.#runsUntil = this.#now + runs
      this.#standsUntil = this.#runsUntil + Math.max(1, Math.round(stands))
    }
    return this.#now < this.#runsUntil ? 1 : 0
  }

  #endPeriod(): void {
    const { start, served, lost, waiting } = this.#period
    const ms = this.#now - start
    const capacity = this.#program.buffer
    const fill = this.#waiting / capacity
    if (ms < (fill < URGENT_SHARE ? PERIOD_MS : HASTE_MS)) return
    const grown = this.#waiting - waiting
    const isSourceOnly = this.#program.quota !== undefined
    this.shedder.endPeriod({
      ms,
      served,
      grown,
      lost,
      fill,
      capacity,
      isSourceOnly,
      outputFull: false,
      hasQuota: false,
    })
    this.#period = { start: this.#now, served: 0, lost: 0, waiting: this.#waiting }
  }
}

test('flow shedder: keeps everything while the buffers can hold it, whatever the rate, and after a pause', () => {
  const shedder = new FlowShedder()
  for (const served of [1000, 0, 5000, 10, 100_000]) shedder.endPeriod({ ...CALM, served })
  for (const fill of [0.2, 0.4, 0.6, 0.8, 1]) shedder.endPeriod({ ...CALM, grown: 2000, fill })
  // The thread is not scheduled for some time, and then catches up.
  for (const fill of [1, 0.9, 0.8, 0.7]) shedder.endPeriod({ ...CALM, lost: fill === 1 ? 1000 : 0, grown: -1000, fill })
  assert.equal(kept(shedder), KEEP_ALL)
  assert.equal(isKept(-1, shedder.threshold), true)
})

test('flow shedder: keeps every connection of bursts that the buffers hold, once an overload has ended', () => {
  const shedder = new FlowShedder()
  while (kept(shedder) === KEEP_ALL) shedder.endPeriod(OVERFLOWING)
  const silent = { ...CALM, served: 0 }
  while (kept(shedder) < KEEP_ALL) shedder.endPeriod(silent)
  for (let burst = 0; burst < 20; burst++) {
    // A quarter of the buffers arrives before it is read.
    for (let part = 1; part <= 10; part++) {
      shedder.endPeriod({ ...silent, ms: 10, grown: 250, fill: part / 40 })
      assert.equal(kept(shedder), KEEP_ALL, `burst ${burst}, part ${part}`)
    }
    shedder.endPeriod({ ...CALM, served: 2500, grown: -2500 })
    for (let pause = 0; pause < 12; pause++) shedder.endPeriod(silent)
  }
})

test('flow shedder: sheds under a lasting overflow, however fast the program is, and while the output is full', () => {
  for (const served of [0, 100, 100_000]) {
    const shedder = new FlowShedder()
    for (let look = 0; look < 7; look++) shedder.endPeriod({ ...OVERFLOWING, served })
    assert.equal(kept(shedder), KEEP_ALL, 'it could be over')
    shedder.endPeriod({ ...OVERFLOWING, served })
    const share = kept(shedder) / KEEP_ALL
    assert.ok(share > 0.33 && share <= 0.95, String(share))
  }
  const shedder = new FlowShedder()
  for (let ms = 0; ms < 100; ms += CALM.ms) shedder.endPeriod({ ...CALM, outputFull: true })
  assert.ok(kept(shedder) < KEEP_ALL)
})

test('flow shedder: tolerates an overflow for longer if only the intake is slow', () => {
  const shedder = new FlowShedder()
  const period = { ...OVERFLOWING, isSourceOnly: true }
  for (let look = 0; look < 19; look++) shedder.endPeriod(period)
  assert.equal(kept(shedder), KEEP_ALL)
  shedder.endPeriod(period)
  assert.ok(kept(shedder) < KEEP_ALL)
})

test('flow shedder: once it sheds, sheds more before the buffers overflow', () => {
  const shedder = new FlowShedder()
  for (let look = 0; look < 8; look++) shedder.endPeriod(OVERFLOWING)
  const before = kept(shedder)
  for (let look = 0; look < 8; look++) shedder.endPeriod({ ...OVERFLOWING, lost: 0, grown: 2000, fill: 0.8 })
  assert.ok(kept(shedder) < before)
})

test('flow shedder: with a quota, sheds before the buffers overflow from the start on, and without one only once they have', () => {
  const [free, limited] = [false, true].map((hasQuota) => {
    const shedder = new FlowShedder()
    const filling = { ...CALM, ms: 10, grown: 2000, hasQuota }
    for (const fill of [0.2, 0.4, 0.6, 0.8, 0.9]) shedder.endPeriod({ ...filling, fill })
    for (let look = 0; look < 8; look++) shedder.endPeriod({ ...filling, fill: 1 })
    return kept(shedder)
  })
  assert.equal(free, KEEP_ALL)
  assert.ok(limited < KEEP_ALL / 2, String(limited))
})

test('flow shedder: always keeps some connections', () => {
  const shedder = new FlowShedder()
  for (let period = 0; period < 1000; period++) shedder.endPeriod({ ...OVERFLOWING, lost: 10_000 })
  assert.equal(kept(shedder), KEEP_ALL / 256)
})

test('flow shedder: a burst yields as much as without shedding, even with unoptimised code', () => {
  for (const [program, rates] of [
    [COLD, [100_000, 200_000, 280_000, 400_000]],
    [FAST, [800_000, 1_000_000, 1_200_000]],
  ] as const) {
    for (const rate of rates) {
      const [all, model] = [new Model(program, null, false), new Model(program)]
      const found = [all, model].map((each) => each.offer(rate, 700).processed + each.drain().processed)
      assert.ok(found[1] >= 0.97 * found[0], `${rate} bytes/ms: ${found[1] / found[0]}`)
    }
  }
})

test('flow shedder: sheds no more than necessary during a slow start, and keeps everything once the program is fast', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const [all, model] = [new Model(COLD_AND_BUSY, seed, false), new Model(COLD_AND_BUSY, seed)]
    const [most, found] = [all, model].map((each) => each.offer(250_000, 3000).processed)
    assert.ok(found >= 0.9 * most, `seed ${seed}: ${found / most}`)
    assert.equal(model.shedder.threshold, KEEP_ALL, `seed ${seed}`)
  }
})

test('flow shedder: sheds nothing below capacity, from the start on', () => {
  for (const program of [SLOW, FAST]) {
    for (const load of [0.5, 0.9, 0.99]) {
      const model = new Model(program)
      const { offered, processed } = model.offer(load * program.pace(0), 10_000)
      assert.ok(processed >= 0.995 * offered, `${load} times: ${processed / offered}`)
      assert.equal(model.shedder.threshold, KEEP_ALL)
    }
  }
})

test('flow shedder: at 1.05 to 40 times capacity uses 95 % of it, loses nothing, and keeps everything 5 s after the overload', () => {
  for (const [name, program] of Object.entries({ SLOW, FAST })) {
    for (const load of [1.05, 1.2, 2, 4, 10, 40]) {
      const model = new Model(program)
      const capacity = program.pace(0)
      model.offer(load * capacity, 2000)
      const { processed, lost, available } = model.offer(load * capacity, 30_000)
      assert.ok(processed >= 0.95 * available, `${name}, ${load} times: ${processed / available}`)
      assert.ok(lost < processed / 100, `${name}, ${load} times: ${lost / processed} lost`)
      model.offer(0.1 * capacity, 5000)
      assert.equal(model.shedder.threshold, KEEP_ALL, `${name}, ${load} times`)
    }
  }
})

test('flow shedder: also uses 95 % on a busy machine, and loses little', () => {
  for (const [name, program] of Object.entries({ SLOW, FAST })) {
    for (const load of [0.8, 1.2, 2, 4, 10]) {
      const sum: Tally = { offered: 0, processed: 0, lost: 0, available: 0 }
      for (let seed = 1; seed <= 20; seed++) {
        const model = new Model(program, seed)
        model.offer(load * program.pace(0), 2000)
        const tally = model.offer(load * program.pace(0), 10_000)
        for (const field of ['offered', 'processed', 'lost', 'available'] as const) sum[field] += tally[field]
      }
      const usable = Math.min(sum.offered, 0.97 * sum.available)
      assert.ok(sum.processed >= 0.97 * usable, `${name}, ${load} times: ${sum.processed / usable}`)
      assert.ok(sum.lost < sum.offered / 100, `${name}, ${load} times: ${sum.lost / sum.offered} lost`)
    }
  }
})

test('flow shedder: with a CPU quota, loses little of a load that lasts, and uses three quarters of the quota', () => {
  const { pace, quota } = THROTTLED
  const capacity = pace(0) * quota!
  for (const load of [1.05, 1.2, 2, 4]) {
    const sum: Tally = { offered: 0, processed: 0, lost: 0, available: 0 }
    for (let seed = 1; seed <= 20; seed++) {
      const model = new Model(THROTTLED, seed)
      model.offer(load * capacity, 2000)
      const tally = model.offer(load * capacity, 10_000)
      for (const field of ['offered', 'processed', 'lost', 'available'] as const) sum[field] += tally[field]
      model.offer(0.1 * capacity, 5000)
      assert.equal(model.shedder.threshold, KEEP_ALL, `${load} times, seed ${seed}`)
    }
    assert.ok(sum.processed >= 0.75 * sum.available, `${load} times: ${sum.processed / sum.available}`)
    assert.ok(sum.lost < 0.04 * sum.offered, `${load} times: ${sum.lost / sum.offered} lost`)
  }
})

test('flow shedder: a connection kept under more overload is kept under less', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.nat(5000), fc.nat(5000), (hashes, one, other) => {
      const [less, more] = [new FlowShedder(), new FlowShedder()]
      for (let look = 0; look < 8; look++) {
        more.endPeriod({ ...OVERFLOWING, lost: 1 + Math.max(one, other) })
        less.endPeriod({ ...OVERFLOWING, lost: 1 + Math.min(one, other) })
      }
      for (const hash of hashes) assert.ok(!isKept(hash, more.threshold) || isKept(hash, less.threshold))
    }),
  )
})

test('flow shedder: with little CPU, sheds even if some periods have no loss, and continues while the source is full', () => {
  const shedder = new FlowShedder()
  const source = { ...CALM, ms: 100, fill: 1, isSourceOnly: true }
  for (let i = 0; i < 15; i++) shedder.endPeriod({ ...source, lost: i % 3 === 2 ? 0 : 2000 })
  const { threshold } = shedder
  assert.ok(threshold < KEEP_ALL)
  // Shed frames leave the source quickly, which does not mean that the program is faster.
  for (let i = 0; i < 5; i++) shedder.endPeriod({ ...source, grown: -5000, fill: 0.9 })
  assert.equal(shedder.threshold, threshold)
})
