import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Random } from '../../../bench/traffic/random.ts'
import { FlowShedder, KEEP_ALL, type LoadPeriod } from '../../../src/capture/intake/flow-shedder.ts'

const PERIOD_MS = 100
const CALM: LoadPeriod = {
  ms: PERIOD_MS,
  frames: 1000,
  kept: 1000,
  arrived: 1000,
  waiting: 0,
  backlog: 0,
  lossy: false,
  outputFull: false,
}

/** The number of lower halves that are kept, of all possible ones. */
const kept = (shedder: FlowShedder): number => {
  let count = 0
  for (let hash = 0; hash < 0x10000; hash++) if (shedder.keeps(hash)) count++
  return count
}

/** Kept frames per millisecond that the model's program can process, and frames that its buffer holds. */
const CAPACITY = 15
const BUFFER_FRAMES = 12_000
/** The source's buffer is looked at this often once it is half full (intake.ts). */
const HASTE_MS = 10

/** What came of the frames since the last look. */
interface Tally {
  offered: number
  processed: number
  lost: number
  /** Frames that could have been processed. */
  available: number
}

/**
 * A program that processes CAPACITY kept frames per millisecond out of a buffer; frames of shed connections cost nothing. On a
 * busy machine it stands still for up to 200 ms once a second, and is up to a quarter slower or faster for some time.
 */
class Model {
  readonly shedder = new FlowShedder()
  readonly #random: Random | null
  #waiting = 0
  #now = 0
  #period = { start: 0, frames: 0, lost: 0, waiting: 0 }
  #standsUntil = 0
  #paceUntil = 0
  #pace = 1
  #tally: Tally = { offered: 0, processed: 0, lost: 0, available: 0 }

  /** @param seed of the disturbances; null: the machine is quiet */
  constructor(seed: number | null) {
    this.#random = seed === null ? null : new Random(seed)
  }

  /** @param load of CAPACITY, for `ms` */
  offer(load: number, ms: number): Tally {
    this.#tally = { offered: 0, processed: 0, lost: 0, available: 0 }
    for (let i = 0; i < ms; i++) this.#step(load * CAPACITY)
    return this.#tally
  }

  #step(offered: number): void {
    this.#now += 1
    const arrived = (offered * this.shedder.threshold) / KEEP_ALL
    const lost = Math.max(0, this.#waiting + arrived - BUFFER_FRAMES)
    this.#waiting += arrived - lost
    const available = CAPACITY * this.#disturbance()
    const processed = Math.min(available, this.#waiting)
    this.#waiting -= processed
    this.#period.frames += processed
    this.#period.lost += lost
    const tally = this.#tally
    this.#tally = {
      offered: tally.offered + offered,
      processed: tally.processed + processed,
      lost: tally.lost + lost,
      available: tally.available + available,
    }
    if (available > 0) this.#endPeriod()
  }

  /** 0 while it stands still. */
  #disturbance(): number {
    const random = this.#random
    if (random === null) return 1
    if (this.#now >= this.#standsUntil && random.chance(1 / 1000)) this.#standsUntil = this.#now + 200 * random.next()
    if (this.#now >= this.#paceUntil) {
      this.#paceUntil = this.#now + 200 + 800 * random.next()
      this.#pace = 0.75 + random.next() / 2
    }
    return this.#now < this.#standsUntil ? 0 : this.#pace
  }

  #endPeriod(): void {
    const { start, frames, lost, waiting } = this.#period
    const ms = this.#now - start
    const backlog = this.#waiting / BUFFER_FRAMES
    if (ms < (backlog < 0.5 ? PERIOD_MS : HASTE_MS)) return
    this.shedder.endPeriod({
      ms,
      frames,
      kept: frames,
      arrived: frames + lost + Math.max(0, this.#waiting - waiting),
      waiting: this.#waiting,
      backlog,
      lossy: lost > 0,
      outputFull: false,
    })
    this.#period = { start: this.#now, frames: 0, lost: 0, waiting: this.#waiting }
  }
}

test('flow shedder: keeps everything below capacity, whatever the rate, and after a pause', () => {
  const shedder = new FlowShedder()
  for (const count of [1000, 0, 5000, 10, 100_000]) shedder.endPeriod({ ...CALM, kept: count })
  shedder.endPeriod({ ...CALM, arrived: 5000, backlog: 0.6 })
  shedder.endPeriod({ ...CALM, backlog: 0.5 })
  assert.equal(kept(shedder), KEEP_ALL)
  assert.equal(shedder.keeps(-1), true)
})

test('flow shedder: overload sheds at once what could not be processed since the backlog began', () => {
  const shedder = new FlowShedder()
  shedder.endPeriod({ ...CALM, arrived: 4000, backlog: 0.5 })
  // In this period the thread hardly ran.
  shedder.endPeriod({ ...CALM, ms: 10, frames: 10, arrived: 400, backlog: 0.8 })
  const share = kept(shedder) / KEEP_ALL
  assert.ok(share > 0.2 && share < 0.25, String(share))
})

test('flow shedder: losses, a crowded buffer and a full output shed, whatever was processed', () => {
  for (const part of [{ lossy: true }, { backlog: 0.8 }, { outputFull: true }]) {
    const shedder = new FlowShedder()
    shedder.endPeriod({ ...CALM, ...part })
    assert.ok(kept(shedder) < KEEP_ALL)
  }
})

test('flow shedder: always keeps some connections', () => {
  const shedder = new FlowShedder()
  for (let period = 0; period < 1000; period++) shedder.endPeriod({ ...CALM, arrived: 10_000, lossy: true })
  assert.equal(kept(shedder), KEEP_ALL / 256)
})

test('flow shedder: at 1.2 to 40 times capacity 95 % of it is used, nothing is lost, and all returns in 5 s', () => {
  for (const load of [1.2, 2, 4, 10, 40]) {
    const model = new Model(null)
    model.offer(load, 2000)
    const { processed, lost, available } = model.offer(load, 30_000)
    assert.ok(processed >= 0.95 * available, `${load} times: ${processed / available}`)
    assert.ok(lost < processed / 100, `${load} times: ${lost} lost`)
    model.offer(0.1, 5000)
    assert.equal(model.shedder.threshold, KEEP_ALL, `${load} times`)
  }
})

test('flow shedder: on a busy machine 95 % is used too, and little is lost up to 80 % of capacity', () => {
  for (const load of [0.8, 1.2, 2, 4, 10]) {
    const sum: Tally = { offered: 0, processed: 0, lost: 0, available: 0 }
    for (let seed = 1; seed <= 20; seed++) {
      const model = new Model(seed)
      model.offer(load, 2000)
      const tally = model.offer(load, 20_000)
      for (const name of ['offered', 'processed', 'lost', 'available'] as const) sum[name] += tally[name]
    }
    const usable = Math.min(sum.offered, 0.97 * sum.available)
    assert.ok(sum.processed >= 0.97 * usable, `${load} times: ${sum.processed / usable}`)
    assert.ok(sum.lost < sum.offered / 100, `${load} times: ${sum.lost / sum.offered} lost`)
  }
})

test('flow shedder: a connection kept under more overload is kept under less', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.double({ min: 0.01, max: 0.99, noNaN: true }), (hashes, served) => {
      const [less, more] = [new FlowShedder(), new FlowShedder()]
      more.endPeriod({ ...CALM, lossy: true, arrived: 2000 / served })
      less.endPeriod({ ...CALM, lossy: true, arrived: 1000 / served })
      for (const hash of hashes) assert.ok(!more.keeps(hash) || less.keeps(hash))
    }),
  )
})
