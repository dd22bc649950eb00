/**
 * Numbers of network namespaces, for `InterfaceInfo.domain`: the same for all interfaces of a namespace, as long as one of
 * them is captured. While it is, its socket keeps the namespace, so that no other can have its inode.
 */
import { LateIds } from './id-pool.ts'

/** Our own. */
const HOME = 0
/** A connection is remembered for a while after its interface has gone, under the number of its domain. */
const RESTING = 4096

interface Domain {
  id: number
  interfaces: number
}

export class Domains {
  readonly #own: number
  readonly #byInode = new Map<number, Domain>()
  readonly #ids = new LateIds(HOME + 1, RESTING)

  /** @param own inode of our own namespace */
  constructor(own: number) {
    this.#own = own
  }

  /** Another interface of a namespace is captured. @param inode null: our own. @returns the domain */
  enter(inode: number | null): number {
    if (inode === null || inode === this.#own) return HOME
    const domain = this.#byInode.get(inode) ?? { id: this.#ids.take(), interfaces: 0 }
    domain.interfaces += 1
    this.#byInode.set(inode, domain)
    return domain.id
  }

  /** One that had entered is captured no longer. */
  leave(inode: number | null): void {
    const domain = inode === null ? undefined : this.#byInode.get(inode)
    if (inode === null || domain === undefined) return
    domain.interfaces -= 1
    if (domain.interfaces > 0) return
    this.#byInode.delete(inode)
    this.#ids.give(domain.id)
  }
}
