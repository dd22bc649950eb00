/**
 * Who held which address, when: pairs are named by the pod that held the address at the time of their packets, also when
 * another has it by now. Bounded; main thread.
 */
import type { AddressEntry, AddressHolder, EndpointPod } from '../endpoint-pod.ts'

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

/** Holders of every address, from pass to pass. */
export class AddressDirectory {
  readonly #holders = new Map<string, AddressHolder[]>()
  /** How many past holders are remembered: whether there is anything to forget. */
  #ended = 0

  /**
   * @param held all addresses that are held now, at most one pod for each; of several the last counts
   * @param nowMicros the time of now, on the clock of packets
   * @returns what changed since the last call, each entry with all that is remembered of its address
   */
  update(held: Iterable<Held>, nowMicros: number): AddressEntry[] {
    const changed = new Set<string>()
    const present = new Map<string, Held>()
    for (const item of held) present.set(item.address, item)
    for (const [address, holders] of this.#holders) {
      const last = holders.at(-1)!
      if (last.toMicros !== null || present.has(address)) continue
      this.#end(holders, nowMicros)
      changed.add(address)
    }
    for (const [address, item] of present) if (this.#hold(address, item, nowMicros)) changed.add(address)
    this.#forget(nowMicros, changed)
    return [...changed].map((address) => ({ address, holders: [...(this.#holders.get(address) ?? [])] }))
  }

  /** Everything that is remembered. */
  entries(): AddressEntry[] {
    return [...this.#holders].map(([address, holders]) => ({ address, holders: [...holders] }))
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
    if (last.toMicros === null || last.toMicros > fromMicros) this.#end(holders, Math.min(fromMicros, nowMicros))
    holders.push({ pod, fromMicros: Math.max(fromMicros, holders.at(-1)!.toMicros!), toMicros: null })
    while (holders.length > MAX_HOLDERS) {
      holders.shift()
      this.#ended -= 1
    }
    return true
  }

  #end(holders: AddressHolder[], micros: number): void {
    const last = holders.at(-1)!
    if (last.toMicros === null) this.#ended += 1
    holders[holders.length - 1] = { ...last, toMicros: Math.max(last.fromMicros, micros) }
  }

  #forget(nowMicros: number, changed: Set<string>): void {
    if (this.#ended === 0) return
    const before = nowMicros - FORGET_MICROS
    for (const [address, holders] of this.#holders) {
      const kept = holders.filter(({ toMicros }) => toMicros === null || toMicros >= before)
      if (kept.length === holders.length) continue
      this.#ended -= holders.length - kept.length
      changed.add(address)
      if (kept.length === 0) this.#holders.delete(address)
      else this.#holders.set(address, kept)
    }
  }
}
