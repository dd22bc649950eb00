/**
 * Who held which address, when: pairs are named by the pod that held the address at the time of their packets, also when
 * another has it by now. Bounded; main thread.
 */
import type { AddressEntry, AddressHolder, EndpointPod } from '../../pair/endpoint-pod.ts'

/** Holders remembered of one address, the present one among them. */
const MAX_HOLDERS = 4
/** A holder is forgotten this long after it let its address go: no packet is under way for longer. Microseconds. */
const FORGET_MICROS = 10 * 60 * 1_000_000

/** An address that is held now. */
export interface Held {
  readonly address: string
  readonly pod: EndpointPod
  /** Since when, as far as is known. Microseconds since the Unix epoch. */
  readonly fromMicros: number
}

/** Holders of every address. */
export class AddressDirectory {
  readonly #holders = new Map<string, AddressHolder[]>()
  /** Addresses of which a past holder is remembered. */
  readonly #past = new Set<string>()
  /** Addresses about which something is to be told. */
  readonly #changed = new Set<string>()
  /** Who held what in the last `holdAll`: uids by address. */
  #all = new Map<string, string>()

  /**
   * All addresses that are held now by those that are told in this way, the pods of this node: whoever held one the last
   * time and is not among them has let it go.
   *
   * @param held at most one pod for each address; of several the last counts
   * @param nowMicros the time of now, on the clock of packets
   */
  holdAll(held: Iterable<Held>, nowMicros: number): void {
    const present = new Map<string, Held>()
    for (const item of held) present.set(item.address, item)
    for (const [address, uid] of this.#all) {
      if (present.get(address)?.pod.identity.uid !== uid) this.release(address, uid, nowMicros)
    }
    this.#all = new Map()
    for (const [address, item] of present) {
      this.hold(item, nowMicros)
      this.#all.set(address, item.pod.identity.uid)
    }
  }

  /** An address is held, by a pod that is told by itself. */
  hold(held: Held, nowMicros: number): void {
    if (this.#hold(held.address, held, nowMicros)) this.#changed.add(held.address)
  }

  /** A pod has let an address go; where another holds it by now, it stays that one's. */
  release(address: string, uid: string, nowMicros: number): void {
    const holders = this.#holders.get(address)
    const last = holders?.at(-1)
    if (holders === undefined || last?.toMicros !== null || last.pod.identity.uid !== uid) return
    this.#end(address, holders, nowMicros)
    this.#changed.add(address)
  }

  /** @returns what changed since the last call, each entry with all that is remembered of its address */
  takeChanges(nowMicros: number): AddressEntry[] {
    this.#forget(nowMicros)
    const entries = [...this.#changed].map((address) => ({ address, holders: [...(this.#holders.get(address) ?? [])] }))
    this.#changed.clear()
    return entries
  }

  /** @returns whether it changes anything */
  #hold(address: string, { pod, fromMicros }: Held, nowMicros: number): boolean {
    const holders = this.#holders.get(address)
    const last = holders?.at(-1)
    if (last === undefined || holders === undefined) {
      this.#holders.set(address, [{ pod, fromMicros, toMicros: null }])
      return true
    }
    const same = last.pod.identity.uid === pod.identity.uid
    if (same && last.toMicros === null) {
      if (last.pod === pod || JSON.stringify(last.pod) === JSON.stringify(pod)) return false
      holders[holders.length - 1] = { ...last, pod }
      return true
    }
    // The end of the one before may have been seen late, or not at all.
    if (last.toMicros === null || last.toMicros > fromMicros)
      this.#end(address, holders, Math.min(fromMicros, nowMicros))
    holders.push({ pod, fromMicros: Math.max(fromMicros, holders.at(-1)!.toMicros!), toMicros: null })
    if (holders.length > MAX_HOLDERS) holders.shift()
    return true
  }

  #end(address: string, holders: AddressHolder[], micros: number): void {
    const last = holders.at(-1)!
    holders[holders.length - 1] = { ...last, toMicros: Math.max(last.fromMicros, micros) }
    this.#past.add(address)
  }

  #forget(nowMicros: number): void {
    const before = nowMicros - FORGET_MICROS
    for (const address of this.#past) {
      const holders = this.#holders.get(address) ?? []
      const kept = holders.filter(({ toMicros }) => toMicros === null || toMicros >= before)
      if (kept.every(({ toMicros }) => toMicros === null)) this.#past.delete(address)
      if (kept.length === holders.length) continue
      this.#changed.add(address)
      if (kept.length === 0) this.#holders.delete(address)
      else this.#holders.set(address, kept)
    }
  }
}
