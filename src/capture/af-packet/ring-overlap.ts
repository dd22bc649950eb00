/**
 * The frames that two rings of one interface both hold, because the second captures before the first stops: without that
 * overlap, frames between the two system calls would be lost. The first ring is read to its end before the second, so what it
 * has delivered is skipped in the second. Capture worker only; one for each switch.
 *
 * A frame is recognised by its bytes, because the kernel gives both copies different times.
 */

/** Covers the headers of TCP in a tunnel over IPv6, whose sequence numbers, checksum and timestamps identify a packet. */
const COMPARED_BYTES = 192
/** Bits of the second hash that fit into a double beside the 32 of the first. */
const UPPER_BITS = 20

export class RingOverlap {
  /** How many copies of a frame the first ring has delivered and the second has not shown, by hash. */
  readonly #delivered = new Map<number, number>()

  /**
   * The first ring delivers a frame.
   *
   * @param start offset of the frame
   * @param captured number of its bytes
   * @param vlan tags that are not among its bytes, as in FrameStamp
   */
  add(view: DataView, start: number, captured: number, vlan: number): void {
    const hash = hashOf(view, start, captured, vlan)
    this.#delivered.set(hash, (this.#delivered.get(hash) ?? 0) + 1)
  }

  /** The second ring has a frame. @returns whether the first has delivered it; each copy counts once */
  remove(view: DataView, start: number, captured: number, vlan: number): boolean {
    const hash = hashOf(view, start, captured, vlan)
    const copies = this.#delivered.get(hash) ?? 0
    if (copies > 0) this.#delivered.set(hash, copies - 1)
    return copies > 0
  }
}

/** 52 bits: among some 100,000 frames, two have the same hash in at most one of a million switches. */
function hashOf(view: DataView, start: number, captured: number, vlan: number): number {
  let [low, high] = [mixed(captured ^ 0x5bd1e995, vlan), mixed(vlan, captured)]
  const end = start + Math.min(captured, COMPARED_BYTES)
  let at = start
  for (; at + 4 <= end; at += 4) {
    const word = view.getInt32(at, true)
    low = mixed(low, word)
    high = mixed(high ^ 0x1b873593, word)
  }
  for (; at < end; at++) {
    low = mixed(low, view.getUint8(at))
    high = mixed(high ^ 0x1b873593, view.getUint8(at))
  }
  return (low >>> 0) + (high >>> (32 - UPPER_BITS)) * 2 ** 32
}

/** A round of MurmurHash3. */
function mixed(hash: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51)
  const sum = hash ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593)
  return (Math.imul((sum << 13) | (sum >>> 19), 5) + 0xe6546b64) | 0
}
