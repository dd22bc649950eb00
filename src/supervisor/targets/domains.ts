/**
 * Numbers network namespaces, for `InterfaceInfo.domain`: all captured interfaces of a namespace share one number. While
 * one of them is captured, its socket keeps the namespace alive, so no other namespace can have the same inode.
 */
import { IdPool } from './id-pool.ts'

/** The number of the agent's own namespace. */
const OWN_DOMAIN = 0
/** Assemblers remember a connection for a while after its interface has gone, under the number of its domain. */
const QUARANTINE = 4096

interface Domain {
  id: number
  interfaces: number
}

export class Domains {
  readonly #ownInode: number
  readonly #byInode = new Map<number, Domain>()
  readonly #ids = new IdPool(OWN_DOMAIN + 1, QUARANTINE)

  /** @param ownInode inode of the agent's own namespace */
  constructor(ownInode: number) {
    this.#ownInode = ownInode
  }

  /** Counts another captured interface of a namespace. @param inode null: the agent's own. @returns the domain's number */
  enter(inode: number | null): number {
    if (inode === null || inode === this.#ownInode) return OWN_DOMAIN
    const domain = this.#byInode.get(inode) ?? { id: this.#ids.acquire(), interfaces: 0 }
    domain.interfaces += 1
    this.#byInode.set(inode, domain)
    return domain.id
  }

  /** Undoes one `enter`: that interface is no longer captured. */
  leave(inode: number | null): void {
    const domain = inode === null ? undefined : this.#byInode.get(inode)
    if (inode === null || domain === undefined) return
    domain.interfaces -= 1
    if (domain.interfaces > 0) return
    this.#byInode.delete(inode)
    this.#ids.release(domain.id)
  }
}
