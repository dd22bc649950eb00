/**
 * The holders of every address over time. A pair is named after the pod that held the address at the time of its packets,
 * even if the address has been reassigned since. Bounded. Main thread.
 */
import type { AddressEntry, AddressHolder, EndpointPod } from '../../pair/endpoint-pod.ts'

/** Holders remembered for one address, including the current one. */
const MAX_HOLDERS = 4
/** A past holder is forgotten this long after its release: no packet is in the pipeline for longer. Microseconds. */
const FORGET_MICROS = 10 * 60 * 1_000_000

/** An address and its current holder. */
export interface HeldAddress {
  readonly address: string
  readonly pod: EndpointPod
  /** Since when, as far as is known. Microseconds since the Unix epoch. */
  readonly fromMicros: number
}

/** The directory. It collects changes until `drainChanges` returns them. */
export class AddressDirectory {
  readonly #holders = new Map<string, AddressHolder[]>()
  /** Addresses with a past holder. */
  readonly #past = new Set<string>()
  /** Addresses changed since the last `drainChanges`. */
  readonly #changed = new Set<string>()
  /** The uids of the last `holdAll`, by address. */
  #all = new Map<string, string>()

  /**
   * Sets all addresses held by the pods of this node. An address of the previous call that is missing now is released.
   *
   * @param held if several pods hold an address, the last one counts
   * @param nowMicros the current time, on the clock of packets
   */
  holdAll(held: Iterable<HeldAddress>, nowMicros: number): void {
    const present = new Map<string, HeldAddress>()
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

  /** Sets the holder of one address, which `holdAll` does not manage. */
  hold(held: HeldAddress, nowMicros: number): void {
    if (this.#hold(held.address, held, nowMicros)) this.#changed.add(held.address)
  }

  /** Ends a pod's hold on an address. Does nothing if another pod holds it already. */
  release(address: string, uid: string, nowMicros: number): void {
    const holders = this.#holders.get(address)
    const last = holders?.at(-1)
    if (holders === undefined || last?.toMicros !== null || last.pod.identity.uid !== uid) return
    this.#end(address, holders, nowMicros)
    this.#changed.add(address)
  }

  /** Moves every span, because the clock of packets was set. @param stepMicros below 0: it was set back */
  shift(stepMicros: number): void {
    for (const [address, holders] of this.#holders) {
      this.#holders.set(
        address,
        holders.map(({ pod, fromMicros, toMicros }) => ({
          pod,
          fromMicros: fromMicros + stepMicros,
          toMicros: toMicros === null ? null : toMicros + stepMicros,
        })),
      )
      this.#changed.add(address)
    }
  }

  /** @returns the addresses that have changed since the last call, each with all of its remembered holders */
  drainChanges(nowMicros: number): AddressEntry[] {
    this.#forget(nowMicros)
    const entries = [...this.#changed].map((address) => ({ address, holders: [...(this.#holders.get(address) ?? [])] }))
    this.#changed.clear()
    return entries
  }

  /** @returns whether anything changed */
  #hold(address: string, { pod, fromMicros }: HeldAddress, nowMicros: number): boolean {
    const holders = this.#holders.get(address)
    const last = holders?.at(-1)
    if (last === undefined || holders === undefined) {
      this.#holders.set(address, [{ pod, fromMicros, toMicros: null }])
      return true
    }
    const same = last.pod.identity.uid === pod.identity.uid
    if (same && last.toMicros === null) {
      // What the API server reports of a pod is not replaced by what /proc shows of it.
      if (pod.identity.namespace === null && last.pod.identity.namespace !== null) return false
      if (last.pod === pod || JSON.stringify(last.pod) === JSON.stringify(pod)) return false
      holders[holders.length - 1] = { ...last, pod }
      return true
    }
    // The release of the previous holder may have been noticed late, or not at all.
    let { toMicros } = last
    if (toMicros === null || toMicros > fromMicros) {
      toMicros = this.#end(address, holders, Math.min(fromMicros, nowMicros))
    }
    holders.push({ pod, fromMicros: Math.max(fromMicros, toMicros), toMicros: null })
    if (holders.length > MAX_HOLDERS) holders.shift()
    return true
  }

  /** Ends the last holder's time. @returns when it ended */
  #end(address: string, holders: AddressHolder[], micros: number): number {
    const last = holders[holders.length - 1]
    const toMicros = Math.max(last.fromMicros, micros)
    holders[holders.length - 1] = { ...last, toMicros }
    this.#past.add(address)
    return toMicros
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
