/**
 * Holds `limits.cpu` in live capture, and logs when connections are shed, for that limit or because a capture worker cannot keep
 * up: one line when it begins, one when it has ended. Main thread.
 */
import { KEEP_ALL } from '../capture/intake/flow-shedder.ts'
import type { SheddingObservation } from '../ledger/observation.ts'
import type { Log } from '../log/folded-log.ts'
import { type AttemptFailure, OutageLog } from '../log/outage-log.ts'
import type { Control } from '../thread/control.ts'
import { CpuGovernor } from './cpu-governor.ts'

const SAMPLE_MS = 100
/** Load that returns within this time continues the same shedding. */
const OVER_MS = 10_000

const FOR_CPU: AttemptFailure = {
  kind: 'cpu',
  message: 'connections are shed to hold limits.cpu',
  hint: 'raise limits.cpu, or capture less; interceptor_kept_connections_ratio is the share that is kept',
}
const FOR_OVERLOAD: AttemptFailure = {
  kind: 'overload',
  message: 'connections are shed because frames arrive faster than they can be processed',
  hint: 'give it more CPU or assemblers, or capture less; interceptor_kept_connections_ratio is the share that is kept',
}

export interface SheddingParts {
  /** `limits.cpu`: cores; 0: no limit. */
  cores: number
  /** Control words of the capture workers. */
  controls: readonly Control[]
  log: Log
}

export class Shedding {
  readonly #controls: readonly Control[]
  readonly #governor: CpuGovernor | null
  readonly #spells: readonly Spell[]
  #sampling: NodeJS.Timeout | undefined

  constructor({ cores, controls, log }: SheddingParts) {
    this.#controls = controls
    this.#governor = cores > 0 ? new CpuGovernor(cores) : null
    this.#spells = [
      new Spell(FOR_CPU, log, () => this.observe().cpu),
      new Spell(FOR_OVERLOAD, log, () => this.observe().overload),
    ]
  }

  /** To be called once frames are captured: what the start costs cannot be limited. */
  start(): void {
    const governor = this.#governor
    if (governor !== null) this.#sampling = setInterval(() => this.#sample(governor), SAMPLE_MS)
  }

  end(): void {
    clearInterval(this.#sampling)
  }

  /** Logs what has begun or ended. Call it several times a second. @param nowMs a monotonic clock */
  check(nowMs: number): void {
    for (const spell of this.#spells) spell.check(nowMs)
  }

  observe(): SheddingObservation {
    const shed = Math.max(0, ...this.#controls.map(({ shedForOverload }) => shedForOverload))
    const kept = this.#governor?.threshold ?? KEEP_ALL
    return { cpu: kept / KEEP_ALL, overload: (KEEP_ALL - shed) / KEEP_ALL }
  }

  #sample(governor: CpuGovernor): void {
    const { user, system } = process.cpuUsage()
    governor.sample(performance.now(), (user + system) / 1000)
    for (const control of this.#controls) control.shedForCpu = KEEP_ALL - governor.threshold
  }
}

/** The log of one reason. */
class Spell {
  readonly #reason: AttemptFailure
  readonly #log: OutageLog
  readonly #kept: () => number
  #lastMs = Number.NEGATIVE_INFINITY

  /** @param kept share of connections that this reason lets through */
  constructor(reason: AttemptFailure, log: Log, kept: () => number) {
    this.#reason = reason
    this.#log = new OutageLog(log)
    this.#kept = kept
  }

  check(nowMs: number): void {
    if (this.#kept() < 1) {
      this.#lastMs = nowMs
      this.#log.failed(this.#reason)
    } else if (nowMs - this.#lastMs >= OVER_MS) this.#log.recovered('all connections are kept again')
  }
}
