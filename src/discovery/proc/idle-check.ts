/**
 * Detects that a node has not changed since the last scan, at a fraction of a scan's cost: no process has started
 * since, none started for some time before it, and the processes that represent pods still exist. Main thread.
 */
import { ProcFiles } from './proc-files.ts'
import type { Snapshot } from './snapshot.ts'

/** A container that is being set up can change for this long after its last process was started. Milliseconds. */
const SETTLE_MS = 10_000
/**
 * A scan is due in any case once the last one is as old as this share of the time since a process was started, within
 * bounds. What changes without a new process or thread, such as an interface, changes ever less probably. Milliseconds.
 */
const SCAN_AGE_SHARE = 1 / 4
const LEAST_SCAN_AGE_MS = 10_000
const MOST_SCAN_AGE_MS = 30_000

/** Compares the node with what the last scan found. */
export class IdleCheck {
  readonly #files: ProcFiles
  /** Inodes of /proc/<pid> by pid; 0 where the process had already exited. */
  readonly #holders = new Map<number, number>()
  #forks: string | null = null
  #forksChangedAt = 0
  #scannedAt = Number.NEGATIVE_INFINITY
  /** Threads of the node at the last check; null: unknown. */
  #threads: string | null = null

  /** @param procRoot where the host's /proc is mounted */
  constructor(procRoot: string) {
    this.#files = new ProcFiles(procRoot)
  }

  /** Remembers what a scan found. Call it after every scan. @param now milliseconds, monotonic */
  recordScan(snapshot: Snapshot, now: number): void {
    this.#scannedAt = now
    // Before the holders, so that one that exits meanwhile changes the number at the next check.
    this.#threads = this.#readThreads()
    this.#holders.clear()
    for (const { pid } of snapshot.pods) {
      const inode = this.#files.inode(String(pid))
      // 0 never matches, so a process that has just exited makes the next check fail.
      this.#holders.set(pid, typeof inode === 'symbol' ? 0 : inode)
      if (inode !== this.#holders.get(pid)) this.#threads = null
    }
  }

  /** Whether a scan would find nothing new. @param now milliseconds, monotonic */
  isIdle(now: number): boolean {
    const forks = this.#readForks()
    if (forks === null || forks !== this.#forks) {
      this.#forks = forks
      this.#forksChangedAt = now
      return false
    }
    const quietMs = now - this.#forksChangedAt
    const scanAge = Math.min(MOST_SCAN_AGE_MS, Math.max(LEAST_SCAN_AGE_MS, SCAN_AGE_SHARE * quietMs))
    if (quietMs < SETTLE_MS || now - this.#scannedAt >= scanAge) return false
    return this.#holdersExist()
  }

  /** While nothing is started, an exit changes the number of threads, which costs less to read than every holder. */
  #holdersExist(): boolean {
    const threads = this.#readThreads()
    if (threads !== null && threads === this.#threads) return true
    this.#threads = threads
    return [...this.#holders].every(([pid, before]) => this.#files.inode(String(pid)) === before)
  }

  /** Threads of the node (proc_loadavg(5)), as text; null when the file lacks the number. */
  #readThreads(): string | null {
    const text = this.#files.read('loadavg')
    return typeof text === 'string' ? (/\/(\d+) /.exec(text)?.[1] ?? null) : null
  }

  /** Processes and threads started since boot (/proc/stat), as text; null when the file lacks the count. */
  #readForks(): string | null {
    const text = this.#files.read('stat')
    return typeof text === 'string' ? (/^processes (\d+)$/m.exec(text)?.[1] ?? null) : null
  }
}
