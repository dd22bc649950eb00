/**
 * All processes of the node, kept from pass to pass. A process is told again by its inode and read only when it can
 * have changed: a warm pass costs one look at the folder of all. Main thread.
 *
 * A process changes by exec (its name), by being moved to a cgroup, by entering a namespace. That happens while a
 * container is being set up, so young processes are read in each pass; later only seldom, and the others by turns.
 */
import { DENIED, GONE, type Listed, type ProcFiles } from './proc-files.ts'
import { type ProcessFacts, readProcess } from './process.ts'

/** Younger processes are read in each pass. Ticks of 10 ms. */
const YOUNG_TICKS = 1000
/** Each process is read at least once in this many passes. */
const READ_EVERY = 64

interface Entry {
  inode: number
  /** null: this process may not look at it. */
  facts: ProcessFacts | null
  /** The last pass that saw it. */
  pass: number
}

/** Processes as of one pass. */
export interface Processes {
  /** Those that could be read, by pid in ascending order. Facts that did not change are the same object as before. */
  readonly facts: readonly ProcessFacts[]
  /** How many could not, for want of a privilege. */
  readonly denied: number
  /** How long the host has been up. Ticks of 10 ms. */
  readonly uptimeTicks: number
}

export class ProcessTable {
  readonly #files: ProcFiles
  readonly #entries = new Map<number, Entry>()
  #pass = 0

  constructor(files: ProcFiles) {
    this.#files = files
  }

  /**
   * One pass.
   *
   * @param listed all processes in sight, by pid in ascending order
   * @param hostNetns inode of the host's network namespace
   */
  refresh(listed: readonly Listed[], hostNetns: number): Processes {
    this.#pass += 1
    const now = this.#ticksNow()
    const facts: ProcessFacts[] = []
    let denied = 0
    for (const one of listed) {
      const entry = this.#look(one, hostNetns, now)
      if (entry === null) continue
      if (entry.facts === null) denied += 1
      else facts.push(entry.facts)
    }
    for (const [pid, entry] of this.#entries) if (entry.pass !== this.#pass) this.#entries.delete(pid)
    return { facts, denied, uptimeTicks: now }
  }

  /** Since the host started, on the clock of start times. */
  #ticksNow(): number {
    const uptime = this.#files.read('uptime')
    return typeof uptime === 'string' ? Number.parseFloat(uptime) * 100 : 0
  }

  #look({ pid, inode }: Listed, hostNetns: number, now: number): Entry | null {
    const entry = this.#entries.get(pid)
    if (entry !== undefined && entry.inode === inode && !this.#isDue(pid, entry, now)) {
      entry.pass = this.#pass
      return entry
    }
    const facts = readProcess(this.#files, pid, hostNetns)
    if (facts === GONE) return null
    const before = entry?.facts ?? null
    const read = facts === DENIED ? null : before !== null && sameFacts(before, facts) ? before : facts
    const current: Entry = { inode, facts: read, pass: this.#pass }
    this.#entries.set(pid, current)
    return current
  }

  #isDue(pid: number, { facts }: Entry, now: number): boolean {
    if ((pid + this.#pass) % READ_EVERY === 0) return true
    return facts !== null && (now - facts.startTicks < YOUNG_TICKS || facts.isRuntimeHelper)
  }
}

const sameFacts = (left: ProcessFacts, right: ProcessFacts): boolean => JSON.stringify(left) === JSON.stringify(right)
