/**
 * Wakes one sleeping thread. A thread owns one doorbell and passes it to every ring it reads from (or waits for room in);
 * the other side rings it after publishing, which costs one atomic load while the owner is awake.
 *
 * No wake-up is lost: the owner first announces that it sleeps and then looks for work, the other side first publishes
 * and then looks for a sleeper, and all four accesses are sequentially consistent (ECMA-262 §29).
 */
const SLEEPING = 0
const RINGS = 1
/** This word is never written and its waiter never notified. */
const NAP = 2

/** The longest time that a timer accepts. */
const NEVER_MS = 2 ** 31 - 1

export class Doorbell {
  readonly #words: Int32Array

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared)
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(128)
  }

  /** Wakes the owner if it sleeps. Any thread may call this. */
  ring(): void {
    const words = this.#words
    if (Atomics.load(words, SLEEPING) === 0) return
    Atomics.store(words, SLEEPING, 0)
    Atomics.add(words, RINGS, 1)
    Atomics.notify(words, RINGS)
  }

  /**
   * Sleeps until rung or for `timeoutMs`, unless `ready` returns true. Blocks the thread; owner only. It may wake early, so
   * callers check for work again.
   */
  wait(timeoutMs: number, ready: () => boolean): void {
    const words = this.#words
    const rings = Atomics.load(words, RINGS)
    Atomics.store(words, SLEEPING, 1)
    if (!ready()) Atomics.wait(words, RINGS, rings, timeoutMs)
    Atomics.store(words, SLEEPING, 0)
  }

  /**
   * Sleeps for `ms` and cannot be woken. For an owner that has just worked and expects more: waking it costs the other
   * thread as much as several pairs, and a nap lets a batch gather instead. If nothing has arrived by then, `wait` follows.
   */
  nap(ms: number): void {
    Atomics.wait(this.#words, NAP, 0, ms)
  }

  /** Like `wait`, for an owner that must keep its event loop running. */
  async waitAsync(timeoutMs: number, ready: () => boolean): Promise<void> {
    const words = this.#words
    const rings = Atomics.load(words, RINGS)
    Atomics.store(words, SLEEPING, 1)
    if (!ready()) {
      const waiting = waitAsync(words, RINGS, rings, timeoutMs)
      // waitAsync alone does not keep a thread alive; the timer does, until the wait is over. It never fires.
      const alive = setTimeout(() => {}, NEVER_MS)
      if (waiting.async) await waiting.value
      clearTimeout(alive)
    }
    Atomics.store(words, SLEEPING, 0)
  }
}

type WaitAsync = (
  words: Int32Array,
  index: number,
  value: number,
  timeoutMs: number,
) => { async: false; value: string } | { async: true; value: Promise<string> }

/** Atomics.waitAsync (ES2024): every supported Node.js has it, TypeScript's library of the build target does not. */
const { waitAsync } = Atomics as unknown as { waitAsync: WaitAsync }
