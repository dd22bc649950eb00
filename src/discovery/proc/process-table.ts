/**
 * All processes of the node, cached between scans. A process is recognised by the inode of /proc/<pid> and read again
 * only when it can have changed, so a warm scan costs little more than one listing of /proc. Main thread.
 *
 * A process changes by exec (its name), by a move to another cgroup, and by entering a namespace. All of that happens
 * while a container is set up, so young processes are read in every scan and the others in rotation.
 */

import { sameValue } from './equality.ts'
import { DENIED, GONE, type Listed, type ProcFiles } from './proc-files.ts'
import { type ProcessFacts, readProcess } from './process.ts'

/** Processes younger than this are read in every scan. Ticks of 10 ms. */
const YOUNG_TICKS = 1000
/** Every other process is read once in this many scans. */
const READ_EVERY = 64

interface Entry {
  inode: number
  /** null: access to this process was denied. */
  facts: ProcessFacts | null
  /** The last scan that listed it. */
  scan: number
}

/** The processes found by one scan. */
export interface Processes {
  /** Those that could be read, by pid, ascending. Unchanged facts are the same object as in the scan before. */
  readonly facts: readonly ProcessFacts[]
  /** Processes to which access was denied. */
  readonly denied: number
  /** Time since the host booted. Ticks of 10 ms. */
  readonly uptimeTicks: number
}

/** The cache of processes. */
export class ProcessTable {
  readonly #files: ProcFiles
  readonly #entries = new Map<number, Entry>()
  #scan = 0

  constructor(files: ProcFiles) {
    this.#files = files
  }

  /**
   * Brings the cache up to date.
   *
   * @param listed all visible processes, by pid, ascending
   * @param hostNetns inode of the host's network namespace
   */
  refresh(listed: readonly Listed[], hostNetns: number): Processes {
    this.#scan += 1
    const now = this.#readUptime()
    const facts: ProcessFacts[] = []
    let denied = 0
    for (const one of listed) {
      const entry = this.#refreshEntry(one, hostNetns, now)
      if (entry === null) continue
      if (entry.facts === null) denied += 1
      else facts.push(entry.facts)
    }
    for (const [pid, entry] of this.#entries) if (entry.scan !== this.#scan) this.#entries.delete(pid)
    return { facts, denied, uptimeTicks: now }
  }

  /** Ticks since the host booted, on the clock of start times. */
  #readUptime(): number {
    const uptime = this.#files.read('uptime')
    return typeof uptime === 'string' ? Number.parseFloat(uptime) * 100 : 0
  }

  #refreshEntry({ pid, inode }: Listed, hostNetns: number, now: number): Entry | null {
    const entry = this.#entries.get(pid)
    if (entry !== undefined && entry.inode === inode && !this.#isDue(pid, entry, now)) {
      entry.scan = this.#scan
      return entry
    }
    const facts = readProcess(this.#files, pid, hostNetns)
    if (facts === GONE) return null
    const before = entry?.facts ?? null
    const read = facts === DENIED ? null : before !== null && sameValue(before, facts) ? before : facts
    const current: Entry = { inode, facts: read, scan: this.#scan }
    this.#entries.set(pid, current)
    return current
  }

  #isDue(pid: number, { facts }: Entry, now: number): boolean {
    if ((pid + this.#scan) % READ_EVERY === 0) return true
    return facts !== null && (now - facts.startTicks < YOUNG_TICKS || facts.isRuntimeHelper)
  }
}
