/**
 * Chooses the assembler of a frame by a hash of both endpoints. The hash is the same in both directions, so that one
 * assembler receives the whole connection.
 */

/**
 * Each endpoint is mixed by itself and the two results are added, which is symmetric. XOR of the raw addresses would
 * map connections with equal differences to one assembler (10.0.0.1→10.0.0.2 and 10.0.0.5→10.0.0.6). The constants are
 * those of MurmurHash3's finaliser (public domain, A. Appleby).
 */
function mix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

function endpoint4(view: DataView, address: number, port: number, secret: number): number {
  return mix(mix(view.getInt32(address) ^ secret) ^ Math.imul(view.getUint16(port) + 1, 0x9e3779b1))
}

function endpoint6(view: DataView, address: number, port: number, secret: number): number {
  let h = mix(view.getInt32(address) ^ secret)
  h = mix(h ^ view.getInt32(address + 4))
  h = mix(h ^ view.getInt32(address + 8))
  h = mix(h ^ view.getInt32(address + 12))
  return mix(h ^ Math.imul(view.getUint16(port) + 1, 0x9e3779b1))
}

/**
 * @param version 4 or 6; the header at @param ip must be complete, and so must the ports at @param tcp
 * @param secret int32, the same for all capture workers. Without it, a client could choose connections with equal hashes
 * @returns int32, equal for both directions of a connection
 */
export function flowHash(view: DataView, version: number, ip: number, tcp: number, secret: number): number {
  const sum =
    version === 4
      ? (endpoint4(view, ip + 12, tcp, secret) + endpoint4(view, ip + 16, tcp + 2, secret)) | 0
      : (endpoint6(view, ip + 8, tcp, secret) + endpoint6(view, ip + 24, tcp + 2, secret)) | 0
  return mix(sum ^ secret)
}

/** Index of a connection's assembler, by the upper half of its hash. @param assemblers their number, at most 65,536 */
export const assemblerOf = (hash: number, assemblers: number): number => ((hash >>> 16) * assemblers) >>> 16
