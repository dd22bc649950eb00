/**
 * Holds the CPU use of the process at `limits.cpu`: it decides how many connections are captured, from the CPU time that
 * all threads have used and the frames of kept connections. Pure: both and the time are arguments.
 *
 * A bucket holds the CPU time that was used above the limit. While the agent uses less than its limit, the bucket collects
 * a credit of up to CREDIT_MS × limit, so that short bursts are captured whole. What a burst uses beyond the credit is a
 * debt, which is repaid within about REPAY_MS. So the average over some seconds meets the limit.
 *
 *     wanted use     = limit − bucket / REPAY_MS
 *     next threshold = threshold × wanted use / (rate of kept frames × cost of a frame)
 *
 * The cost of a frame is the measured use divided by the kept frames. It is averaged slowly, and rises more slowly than it
 * falls, for two reasons: compiling and collecting garbage use CPU in bursts that shedding cannot reduce, and few frames
 * seem costly because work that does not depend on traffic is divided among them. With a fast average, such a burst would
 * shed everything, and connections would return only slowly. Because the cost is known, a sudden load is shed by its first
 * frames, before it has used up the credit.
 *
 * The share is a threshold on the flow hash, as in capture/intake/flow-shedder.ts: whole connections are kept, and those kept
 * under more load are kept under less too.
 */
import { KEEP_ALL, KEEP_LEAST } from '../../capture/intake/flow-shedder.ts'

const CREDIT_MS = 250
/** The largest debt: what a burst uses beyond it is not repaid. */
const DEBT_MS = 3000
/** The times in which a debt is repaid and a credit is used. */
const REPAY_MS = 2000
const SPEND_MS = 500
/** Bounds of the wanted use, relative to the limit. */
const LEAST_WANTED = 1 / 2
const MOST_WANTED = 3 / 2
/** Use and frames are averaged over at most this time. */
const WINDOW_MS = 1000
/** A burst of so many times the limit is shed at once if it would use up the credit within this time. */
const BURST_SHARE = 2.3
const SOON_MS = 200
/** While connections are shed, frames are read in lumps (capture/af-packet/read-pace.ts): a burst is seen over this time. */
const BURST_MS = 200
/** How long other use must have been too high or too low before a correction, and the latter if it is less than half. */
const FALL_AFTER_MS = 700
const RISE_AFTER_MS = 1000
const STEEP_RISE_AFTER_MS = 500
/** Smaller corrections are not made: each rise admits partial connections. */
const LEAST_FALL = 0.92
const LEAST_RISE = 1.15
const STEEP_RISE = 2
const MOST_FALL = 1 / 64
const MOST_RISE = 8
/** Milliseconds of CPU that a frame is assumed to cost at first, and bounds of what it is found to cost. */
const USUAL_COST = 0.01
const LEAST_COST = 0.0005
const MOST_COST = 0.2
/** Times in which the cost may rise or fall by a factor of e. */
const COST_RISES_MS = 2500
const COST_FALLS_MS = 500
/** The cost is not found to be higher while less than this share of the limit is used: most of it is no frame's. */
const SIGNIFICANT_USE = 3 / 4

/** What a process has used and captured so far. */
interface CpuReading {
  /** A monotonic clock. */
  readonly nowMs: number
  /** CPU time of all threads. */
  readonly cpuMs: number
  /** Frames of kept connections. */
  readonly frames: number
}

/** What was used and captured in a time. */
interface Usage {
  readonly ms: number
  readonly used: number
  readonly frames: number
}

export class CpuGovernor {
  readonly #limit: number
  #threshold = KEEP_ALL
  /** CPU time used above the limit, ms; negative: credit. */
  #bucket = 0
  #cost = USUAL_COST
  /** The last reading; null: none yet. */
  #last: CpuReading | null = null
  /** Samples of the last WINDOW_MS, newest last, and those of them since the last change of the threshold. */
  readonly #all = new Window()
  readonly #sinceChange = new Window()
  /** The threshold was changed by the last sample, so the next one has frames from before and after. */
  #hasChanged = false

  /** @param cores above 0 */
  constructor(cores: number) {
    this.#limit = cores
    this.#bucket = -CREDIT_MS * cores
  }

  /** Connections are kept whose hash has lower 16 bits below this; KEEP_ALL: all. */
  get threshold(): number {
    return this.#threshold
  }

  /** Adds a reading. Call it ten to twenty times a second. */
  sample(reading: CpuReading): void {
    const last = this.#last
    this.#last = reading
    if (last === null || reading.nowMs <= last.nowMs) return
    // While the process was stopped (SIGSTOP) it used no CPU; that time must not become credit.
    const ms = Math.min(reading.nowMs - last.nowMs, WINDOW_MS)
    const usage = { ms, used: reading.cpuMs - last.cpuMs, frames: Math.max(0, reading.frames - last.frames) }
    this.#fill(usage.used - this.#limit * ms)
    this.#all.add(usage)
    this.#learnCost(ms)
    if (!this.#hasChanged) this.#sinceChange.add(usage)
    this.#hasChanged = false
    this.#decide(usage)
  }

  #fill(excess: number): void {
    this.#bucket = clamp(this.#bucket + excess, -CREDIT_MS * this.#limit, DEBT_MS * this.#limit)
  }

  #learnCost(passedMs: number): void {
    const { ms, used, frames } = this.#all.sum
    const mayRise = used > SIGNIFICANT_USE * this.#limit * ms
    const [least, most] = [Math.exp(-passedMs / COST_FALLS_MS), mayRise ? Math.exp(passedMs / COST_RISES_MS) : 1]
    if (frames === 0) return
    this.#cost = clamp(clamp(used / frames, least * this.#cost, most * this.#cost), LEAST_COST, MOST_COST)
  }

  #decide(latest: Usage): void {
    const { ms, frames } = this.#sinceChange.sum
    if (ms === 0) return
    const wanted = this.#wantedUse
    const burst = this.#cost * this.#burstRate(latest)
    if (burst > BURST_SHARE * this.#limit && this.#bucket + (burst - this.#limit) * SOON_MS > 0) {
      this.#change(Math.max(wanted / burst, MOST_FALL))
      return
    }
    const share = frames > 0 ? (wanted * ms) / (this.#cost * frames) : MOST_RISE
    const falls = this.#bucket > 0 && share <= LEAST_FALL && ms >= FALL_AFTER_MS
    const riseAfterMs = share >= STEEP_RISE ? STEEP_RISE_AFTER_MS : RISE_AFTER_MS
    const rises = this.#threshold < KEEP_ALL && share >= LEAST_RISE && ms >= riseAfterMs
    if (falls || rises) this.#change(clamp(share, MOST_FALL, MOST_RISE))
  }

  /** Frames per millisecond of what may be a burst. */
  #burstRate(latest: Usage): number {
    if (this.#threshold === KEEP_ALL) return latest.frames / latest.ms
    const { ms, frames } = this.#sinceChange.last(BURST_MS)
    return ms >= BURST_MS ? frames / ms : 0
  }

  /** Cores. */
  get #wantedUse(): number {
    const repaid = this.#bucket / (this.#bucket > 0 ? REPAY_MS : SPEND_MS)
    return clamp(this.#limit - repaid, LEAST_WANTED * this.#limit, MOST_WANTED * this.#limit)
  }

  #change(factor: number): void {
    const threshold = clamp(Math.round(this.#threshold * factor), KEEP_LEAST, KEEP_ALL)
    if (threshold === this.#threshold) return
    this.#threshold = threshold
    this.#sinceChange.clear()
    this.#hasChanged = true
  }
}

/** Samples of the last WINDOW_MS. */
class Window {
  #samples: Usage[] = []

  get sum(): Usage {
    return this.last(Number.POSITIVE_INFINITY)
  }

  /** The sum of the latest samples, of at least so many milliseconds if there are. */
  last(leastMs: number): Usage {
    const total = { ms: 0, used: 0, frames: 0 }
    for (let i = this.#samples.length - 1; i >= 0 && total.ms < leastMs; i--) {
      const { ms, used, frames } = this.#samples[i]
      total.ms += ms
      total.used += used
      total.frames += frames
    }
    return total
  }

  add(sample: Usage): void {
    this.#samples.push(sample)
    while (this.sum.ms - this.#samples[0].ms >= WINDOW_MS) this.#samples.shift()
  }

  clear(): void {
    this.#samples = []
  }
}

const clamp = (value: number, least: number, most: number): number => Math.min(most, Math.max(least, value))
