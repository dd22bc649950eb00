/**
 * Interfaces and addresses of the node's network namespaces, cached between passes. A new namespace is read in every pass,
 * because a container runtime may configure the interface after it has started the first process; the others are read in
 * rotation. Main thread.
 */
import { type NetworkFacts, type NetworkReading, readNetwork } from './interfaces.ts'
import { PassCache } from './pass-cache.ts'
import type { ProcFiles } from './proc-files.ts'

/** A namespace is read in this many passes from its first one on. */
const NEW_PASSES = 10
/** After that it is read once in this many passes. */
const READ_EVERY = 16

interface Entry {
  /** The pod it belongs to. The kernel may reuse the inode of a deleted namespace at once, for another pod. */
  readonly owner: string
  reading: NetworkReading
  readonly firstPass: number
}

/** The cache of interfaces by network namespace. */
export class InterfaceCache {
  readonly #files: ProcFiles
  readonly #entries = new PassCache<Entry>()

  constructor(files: ProcFiles) {
    this.#files = files
  }

  /** Begins a pass: namespaces that the last pass did not ask for are forgotten. */
  beginPass(): void {
    this.#entries.beginPass()
  }

  /**
   * The interfaces and addresses of a namespace.
   *
   * @param inode of the namespace
   * @param owner uid of the pod it belongs to
   * @param pids processes in it, any of which may have exited
   * @returns the same object as before when nothing changed, or when all processes have exited; null when they exited
   *   before the namespace was first read
   */
  read(inode: number, owner: string, pids: Iterable<number>): NetworkFacts | null {
    const known = this.#entries.use(inode)
    const entry = known?.owner === owner ? known : undefined
    if (entry !== undefined && !this.#isDue(inode, entry)) return entry.reading.facts
    for (const pid of pids) {
      const reading = readNetwork(this.#files, pid, entry?.reading ?? null)
      if (reading === null) continue
      if (entry === undefined) this.#entries.set(inode, { owner, reading, firstPass: this.#entries.pass })
      else entry.reading = reading
      return reading.facts
    }
    return entry?.reading.facts ?? null
  }

  #isDue(inode: number, { reading, firstPass }: Entry): boolean {
    const { pass } = this.#entries
    if (reading.facts.external === null || pass - firstPass < NEW_PASSES) return true
    return (inode + pass) % READ_EVERY === 0
  }
}
