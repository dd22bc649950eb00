/**
 * Interfaces and addresses of the node's network namespaces, cached between scans. A new namespace is read in every scan,
 * because a container runtime may configure the interface after it has started the first process; the others are read in
 * rotation. Main thread.
 */
import { type NetworkFacts, type NetworkReading, readNetwork } from './interfaces.ts'
import type { ProcFiles } from './proc-files.ts'
import { ScanCache } from './scan-cache.ts'

/** A namespace is read in this many scans from its first one on. */
const NEW_SCANS = 10
/** After that it is read once in this many scans. */
const READ_EVERY = 16

interface Entry {
  /** The pod it belongs to. The kernel may reuse the inode of a deleted namespace at once, for another pod. */
  readonly owner: string
  reading: NetworkReading
  readonly firstScan: number
}

/** The cache of interfaces by network namespace. */
export class InterfaceCache {
  readonly #files: ProcFiles
  readonly #entries = new ScanCache<Entry>()

  constructor(files: ProcFiles) {
    this.#files = files
  }

  /** Begins a scan: namespaces that the last scan did not request are dropped. */
  beginScan(): void {
    this.#entries.beginScan()
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
      if (entry === undefined) this.#entries.set(inode, { owner, reading, firstScan: this.#entries.scan })
      else entry.reading = reading
      return reading.facts
    }
    return entry?.reading.facts ?? null
  }

  #isDue(inode: number, { reading, firstScan }: Entry): boolean {
    const { scan } = this.#entries
    if (reading.facts.external === null || scan - firstScan < NEW_SCANS) return true
    return (inode + scan) % READ_EVERY === 0
  }
}
