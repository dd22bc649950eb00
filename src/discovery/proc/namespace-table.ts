/**
 * Network namespaces of the node, kept from pass to pass: new ones are read in each pass, because a runtime may set the
 * interface up after it has started the first process; the others by turns. Main thread.
 */
import { type NetworkFacts, type NetworkReading, readNetwork } from './namespace-network.ts'
import type { ProcFiles } from './proc-files.ts'

/** A namespace is read in this many passes from its first on. */
const NEW_PASSES = 10
/** Later it is read once in this many. */
const READ_EVERY = 16

interface Entry {
  /** The pod whose it is: the kernel gives the inode of a namespace that is gone to the next one at once. */
  readonly owner: string
  reading: NetworkReading
  readonly firstPass: number
  pass: number
}

export class NetworkTable {
  readonly #files: ProcFiles
  readonly #entries = new Map<number, Entry>()
  #pass = 0

  constructor(files: ProcFiles) {
    this.#files = files
  }

  /** Begins a pass: namespaces that the last one did not ask for are forgotten. */
  begin(): void {
    for (const [inode, entry] of this.#entries) if (entry.pass !== this.#pass) this.#entries.delete(inode)
    this.#pass += 1
  }

  /**
   * @param inode of the namespace
   * @param owner whose it is: the pod's uid
   * @param pids processes in it, any of which may be gone
   * @returns the same object as before when nothing changed, or when all of them are gone; null when they were so
   *   before the namespace could be read
   */
  look(inode: number, owner: string, pids: Iterable<number>): NetworkFacts | null {
    const known = this.#entries.get(inode)
    const entry = known?.owner === owner ? known : undefined
    if (entry !== undefined) entry.pass = this.#pass
    if (entry !== undefined && !this.#isDue(inode, entry)) return entry.reading.facts
    for (const pid of pids) {
      const reading = readNetwork(this.#files, pid, entry?.reading ?? null)
      if (reading === null) continue
      if (entry === undefined) this.#entries.set(inode, { owner, reading, firstPass: this.#pass, pass: this.#pass })
      else entry.reading = reading
      return reading.facts
    }
    return entry?.reading.facts ?? null
  }

  #isDue(inode: number, { reading, firstPass }: Entry): boolean {
    if (reading.facts.external === null || this.#pass - firstPass < NEW_PASSES) return true
    return (inode + this.#pass) % READ_EVERY === 0
  }
}
