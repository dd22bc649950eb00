/**
 * Whether a node is as it was when it was last looked at, told for a fraction of what a pass costs: no process was started
 * since, none had been for a while before, and those that hold pods are still there. Main thread.
 */
import { ProcFiles } from './proc-files.ts'
import type { Snapshot } from './snapshot.ts'

/** For so long after a process was started things may change without another: a container is set up. Milliseconds. */
const SETTLE_MS = 10_000
/** A pass is due after this long, whatever seems. Milliseconds. */
const MAX_MS = 5_000

export class QuietNode {
  readonly #files: ProcFiles
  /** Inodes by pid; 0 where the process was gone. */
  readonly #holders = new Map<number, number>()
  #started: string | null = null
  #startedAt = 0
  #passedAt = Number.NEGATIVE_INFINITY

  /** @param procRoot where the host's /proc is mounted */
  constructor(procRoot: string) {
    this.#files = new ProcFiles(procRoot)
  }

  /** Remembers what a pass found. To be called after each. @param now milliseconds, monotonic */
  passed(snapshot: Snapshot, now: number): void {
    this.#passedAt = now
    this.#holders.clear()
    for (const { pid } of snapshot.pods) {
      const inode = this.#files.inode(String(pid))
      // One that is gone by now is missed at the next look.
      this.#holders.set(pid, typeof inode === 'symbol' ? 0 : inode)
    }
  }

  /** @param now milliseconds, monotonic */
  isQuiet(now: number): boolean {
    const started = this.#countStarted()
    if (started === null || started !== this.#started) {
      this.#started = started
      this.#startedAt = now
      return false
    }
    if (now - this.#startedAt < SETTLE_MS || now - this.#passedAt >= MAX_MS) return false
    return [...this.#holders].every(([pid, before]) => this.#files.inode(String(pid)) === before)
  }

  /** Processes and threads started since the host did (/proc/stat), as text; null: not told. */
  #countStarted(): string | null {
    const text = this.#files.read('stat')
    return typeof text === 'string' ? (/^processes (\d+)$/m.exec(text)?.[1] ?? null) : null
  }
}
