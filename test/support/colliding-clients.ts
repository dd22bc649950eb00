/** Clients whose connections to one server all have the same flow hash (flow-hash.ts) where it has no secret. */

/** Inverse of the xorshift by 16 and by 13, and of the two factors, of MurmurHash3's finaliser. */
function unmix(value: number): number {
  let h = value ^ (value >>> 16)
  h = Math.imul(h, 0x7ed1b41d)
  h ^= (h >>> 13) ^ (h >>> 26)
  h = Math.imul(h, 0xa5cb9243)
  return h ^ (h >>> 16)
}

/** The client of this port. @returns the four bytes of its IPv4 address */
export function collidingClient(port: number): number[] {
  // An endpoint is mix(mix(address) ^ (port + 1) * 0x9e3779b1): what is mixed last is the same for all of them.
  const address = unmix(0x0badcafe ^ Math.imul(port + 1, 0x9e3779b1))
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255)
}
