/**
 * A worker's control words: the command it must obey, its heartbeat and what it reports of itself, in shared memory, so
 * that a worker that is busy in its loop or asleep in `Atomics.wait` sees a command without running its event loop.
 *
 * Threads: the main thread writes the command, `shedForCpu`, `cpuQuota` and `isTuned`; the worker alone writes heartbeat, CPU time,
 * `shedForOverload` and whether it is blocked. Any thread may read.
 */

/** Command: work. */
export const COMMAND_RUN = 0
/** Command: finish pending work in stream order, then stop. */
export const COMMAND_DRAIN = 1
/** Command: stop now; what is lost is counted. */
export const COMMAND_STOP = 2

/** Words of the block: an Int32Array, except for CPU. */
const COMMAND = 0
const HEARTBEAT = 1
const MAIL = 2
const SHED_FOR_CPU = 3
/** Two words that hold one double: CPU seconds used by the thread; below 0 while unknown. */
const CPU = 4
const SHED_FOR_OVERLOAD = 6
const BLOCKED = 7
const TUNED = 8
const CPU_QUOTA = 9
/** What CPU_QUOTA counts in. */
const QUOTAS_PER_CPU = 1000
const BLOCK_BYTES = 64

export class Control {
  readonly #words: Int32Array
  readonly #cpu: Float64Array

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
    this.#cpu = new Float64Array(shared, CPU * 4, 1)
  }

  /** A new block: COMMAND_RUN, heartbeat 0, CPU time unknown. */
  static allocate(): SharedArrayBuffer {
    const shared = new SharedArrayBuffer(BLOCK_BYTES)
    new Control(shared).cpuSeconds = null
    return shared
  }

  /** One of the COMMAND_ values. */
  get command(): number {
    return Atomics.load(this.#words, COMMAND)
  }

  /** Main thread only. Ring the worker's doorbell afterwards, because it may be asleep. */
  set command(value: number) {
    Atomics.store(this.#words, COMMAND, value)
  }

  /** True until the worker must drain or stop. */
  get running(): boolean {
    return this.command === COMMAND_RUN
  }

  /** Iterations of the worker's loop, modulo 2^32: only a change of the number means anything. */
  get heartbeat(): number {
    return Atomics.load(this.#words, HEARTBEAT)
  }

  /** Advances the heartbeat. The worker calls it at least once a second, also while it waits. */
  beat(): void {
    Atomics.add(this.#words, HEARTBEAT, 1)
  }

  /** Whether the worker is in a system call that may take any time: its heartbeat stands still, although it does not hang. */
  get isBlocked(): boolean {
    return Atomics.load(this.#words, BLOCKED) !== 0
  }

  /** Runs a system call that may take any time, as reading from a slow disk does. Worker only. @returns what it returns */
  whileBlocked<T>(systemCall: () => T): T {
    Atomics.store(this.#words, BLOCKED, 1)
    try {
      return systemCall()
    } finally {
      Atomics.store(this.#words, BLOCKED, 0)
    }
  }

  /** Whether V8's flags are set (v8-flags.ts): what a thread optimizes before stays as it is. */
  get isTuned(): boolean {
    return Atomics.load(this.#words, TUNED) !== 0
  }

  /** Says that they are. Main thread only. */
  tuned(): void {
    Atomics.store(this.#words, TUNED, 1)
  }

  /** Announces messages posted to the worker's port. Main thread only; ring the worker's doorbell afterwards. */
  announceMail(): void {
    Atomics.store(this.#words, MAIL, 1)
  }

  /** Whether messages wait in the worker's port. */
  get hasMail(): boolean {
    return Atomics.load(this.#words, MAIL) !== 0
  }

  /** Whether messages were announced since the last call. Worker only; it must then empty its port. */
  consumeMail(): boolean {
    return this.hasMail && Atomics.exchange(this.#words, MAIL, 0) !== 0
  }

  /** CPU seconds used by the worker's thread, as it last recorded them; null while unknown. Every new thread starts at 0. */
  get cpuSeconds(): number | null {
    return this.#cpu[0] < 0 ? null : this.#cpu[0]
  }

  set cpuSeconds(value: number | null) {
    this.#cpu[0] = value ?? -1
  }

  /** How many of the 65,536 values of a flow hash's lower half a capture worker sheds to hold `limits.cpu`. */
  get shedForCpu(): number {
    return Atomics.load(this.#words, SHED_FOR_CPU)
  }

  /** Main thread only. */
  set shedForCpu(value: number) {
    Atomics.store(this.#words, SHED_FOR_CPU, value)
  }

  /** CPUs that the quota of a control group allows the process; 0: there is none. */
  get cpuQuota(): number {
    return Atomics.load(this.#words, CPU_QUOTA) / QUOTAS_PER_CPU
  }

  /** Main thread only. */
  set cpuQuota(cpus: number) {
    Atomics.store(this.#words, CPU_QUOTA, Math.round(cpus * QUOTAS_PER_CPU))
  }

  /** How many of them a capture worker sheds because it cannot keep up. */
  get shedForOverload(): number {
    return Atomics.load(this.#words, SHED_FOR_OVERLOAD)
  }

  /** Worker only. */
  set shedForOverload(value: number) {
    Atomics.store(this.#words, SHED_FOR_OVERLOAD, value)
  }
}
