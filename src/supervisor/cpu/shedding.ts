/**
 * Applies `limits.cpu` in live capture, tells threads the quota of the control group, and logs when connections are
 * shed, for that limit or because a capture worker cannot keep up: one line when shedding begins, one when it has ended. Main thread.
 */
import { KEEP_ALL } from '../../capture/intake/flow-shedder.ts'
import type { SheddingObservation } from '../../ledger/observation.ts'
import type { Log } from '../../log/folded-log.ts'
import { type AttemptFailure, OutageLog } from '../../log/outage-log.ts'
import type { Control } from '../../thread/control.ts'
import { processCpuMs } from '../../thread/cpu-time.ts'
import { CpuGovernor } from './cpu-governor.ts'

const SAMPLE_MS = 50
/** Shedding that resumes within this time is the same for the log. */
const ENDED_AFTER_MS = 10_000
/** Interval of reading the quota, which may be changed and which groups above this one may have. */
const QUOTA_MS = 1000

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
  /** Those of the assemblers. */
  assemblers: readonly Control[]
  /** CPUs that control groups allow now; null: as many as there are. */
  quota: () => number | null
  /** Frames of kept connections so far. */
  keptFrames: () => number
  log: Log
}

export class Shedding {
  readonly #controls: readonly Control[]
  readonly #keptFrames: () => number
  readonly #governor: CpuGovernor | null
  readonly #assemblers: readonly Control[]
  readonly #quota: () => number | null
  readonly #forCpu: SheddingLog
  readonly #forOverload: SheddingLog
  #sampling: NodeJS.Timeout | undefined
  #quotaReadAtMs = Number.NEGATIVE_INFINITY

  constructor({ cores, controls, assemblers, quota, keptFrames, log }: SheddingParts) {
    this.#controls = controls
    this.#assemblers = assemblers
    this.#quota = quota
    this.#keptFrames = keptFrames
    this.#governor = cores > 0 ? new CpuGovernor(cores) : null
    this.#forCpu = new SheddingLog(FOR_CPU, log, () => this.observe().cpu)
    this.#forOverload = new SheddingLog(FOR_OVERLOAD, log, () => this.observe().overload)
  }

  /** Begins to limit. Call it once frames are captured: the CPU time of the start cannot be limited. */
  start(): void {
    this.#readQuota()
    const governor = this.#governor
    if (governor !== null) this.#sampling = setInterval(() => this.#sample(governor), SAMPLE_MS)
  }

  end(): void {
    clearInterval(this.#sampling)
  }

  /** Logs what has begun or ended, and follows the quota. Call it several times a second. @param nowMs a monotonic clock */
  check(nowMs: number): void {
    this.#forCpu.check(nowMs)
    this.#forOverload.check(nowMs)
    if (nowMs - this.#quotaReadAtMs < QUOTA_MS) return
    this.#quotaReadAtMs = nowMs
    this.#readQuota()
  }

  /** Whether a capture worker could not keep up some seconds ago. */
  get hasShedLately(): boolean {
    return this.#forOverload.isShedding
  }

  observe(): SheddingObservation {
    const shed = Math.max(0, ...this.#controls.map(({ shedForOverload }) => shedForOverload))
    const kept = this.#governor?.threshold ?? KEEP_ALL
    return { cpu: kept / KEEP_ALL, overload: (KEEP_ALL - shed) / KEEP_ALL }
  }

  #readQuota(): void {
    const quota = this.#quota() ?? 0
    for (const control of [...this.#controls, ...this.#assemblers]) control.cpuQuota = quota
  }

  #sample(governor: CpuGovernor): void {
    governor.sample({ nowMs: performance.now(), cpuMs: processCpuMs(), frames: this.#keptFrames() })
    for (const control of this.#controls) control.shedForCpu = KEEP_ALL - governor.threshold
  }
}

/** Logs when shedding for one reason begins and ends. */
class SheddingLog {
  readonly #reason: AttemptFailure
  readonly #log: OutageLog
  readonly #kept: () => number
  /** When connections were last shed. */
  #lastShedMs = Number.NEGATIVE_INFINITY
  #isShedding = false

  /** @param kept share of connections that this reason lets through */
  constructor(reason: AttemptFailure, log: Log, kept: () => number) {
    this.#reason = reason
    this.#log = new OutageLog(log)
    this.#kept = kept
  }

  /** Whether connections are shed, or were in the last ENDED_AFTER_MS. */
  get isShedding(): boolean {
    return this.#isShedding
  }

  check(nowMs: number): void {
    if (this.#kept() < 1) {
      this.#lastShedMs = nowMs
      this.#isShedding = true
      this.#log.failed(this.#reason)
    } else if (nowMs - this.#lastShedMs >= ENDED_AFTER_MS) {
      this.#isShedding = false
      this.#log.recovered('all connections are kept again')
    }
  }
}
