/**
 * A worker's control words: the command it is to obey and its heartbeat, in shared memory, so that a worker busy in its
 * loop or asleep in `Atomics.wait` sees a command without turning its event loop.
 *
 * Threads: the main thread writes the command; the worker alone writes heartbeat, state and CPU time. Anyone may read.
 */
import {
  COMMAND_RUN,
  CONTROL_COMMAND,
  CONTROL_CPU,
  CONTROL_HEARTBEAT,
  CONTROL_MAIL,
  CONTROL_STATE,
  CONTROL_WORDS,
} from './messages.ts'

export class Control {
  readonly #words: Int32Array
  readonly #cpu: Float64Array

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
    this.#cpu = new Float64Array(shared, CONTROL_CPU * 4, 1)
  }

  /** A fresh block: COMMAND_RUN, no heartbeat yet. */
  static allocate(): SharedArrayBuffer {
    const shared = new SharedArrayBuffer(CONTROL_WORDS * 4)
    new Control(shared).cpuSeconds = null
    return shared
  }

  /** One of the COMMAND_ values. */
  get command(): number {
    return Atomics.load(this.#words, CONTROL_COMMAND)
  }

  /** Main thread only. Whoever sleeps on a doorbell must be rung afterwards. */
  set command(value: number) {
    Atomics.store(this.#words, CONTROL_COMMAND, value)
  }

  /** True until the worker is told to drain or to stop. */
  get running(): boolean {
    return this.command === COMMAND_RUN
  }

  /** Turns of the worker so far, modulo 2^32: only a change says something. */
  get heartbeat(): number {
    return Atomics.load(this.#words, CONTROL_HEARTBEAT)
  }

  /** The worker took another turn. To be called at least once a second, also while waiting. */
  beat(): void {
    Atomics.add(this.#words, CONTROL_HEARTBEAT, 1)
  }

  /** Messages have been posted to the worker's port. Main thread; whoever sleeps on a doorbell must be rung afterwards. */
  announceMail(): void {
    Atomics.store(this.#words, CONTROL_MAIL, 1)
  }

  /** Whether messages wait. */
  get hasMail(): boolean {
    return Atomics.load(this.#words, CONTROL_MAIL) !== 0
  }

  /** Whether messages were announced since the last call. Worker only; it takes all of them from its port then. */
  takeMail(): boolean {
    return this.hasMail && Atomics.exchange(this.#words, CONTROL_MAIL, 0) !== 0
  }

  /** CPU time the worker has used, as it noted it last (thread-usage.ts); null: not known. Starts anew with a new thread. */
  get cpuSeconds(): number | null {
    return this.#cpu[0] < 0 ? null : this.#cpu[0]
  }

  set cpuSeconds(value: number | null) {
    this.#cpu[0] = value ?? -1
  }

  /** The role's own word (see messages.ts). */
  get state(): number {
    return Atomics.load(this.#words, CONTROL_STATE)
  }

  set state(value: number) {
    Atomics.store(this.#words, CONTROL_STATE, value)
  }
}
