/** Reads TCP segments from IP packets, for tests of what was captured. */

export interface Segment {
  sourcePort: number
  destinationPort: number
  sequence: number
  /** Payload bytes that were captured. */
  payload: Buffer
  syn: boolean
  fin: boolean
  /** IPv4 total length or IPv6 payload length as in the header. */
  headerLength: number
}

/** @param packet IPv4, or IPv6 with hop-by-hop options at most */
export function segmentOf(packet: Buffer): Segment {
  const version6 = packet[0] >> 4 === 6
  let tcp = version6 ? 40 : (packet[0] & 0xf) * 4
  if (version6 && packet[6] === 0) tcp += (packet[41] + 1) * 8
  const flags = packet[tcp + 13]
  return {
    sourcePort: packet.readUInt16BE(tcp),
    destinationPort: packet.readUInt16BE(tcp + 2),
    sequence: packet.readUInt32BE(tcp + 4),
    payload: packet.subarray(tcp + (packet[tcp + 12] >> 4) * 4),
    syn: (flags & 2) !== 0,
    fin: (flags & 1) !== 0,
    headerLength: packet.readUInt16BE(version6 ? 4 : 2),
  }
}

/** Number of bytes in one direction of the only connection in these packets, each byte counted once. */
export function streamBytes(packets: readonly Buffer[], sourcePort: number): number {
  const segments = packets.map(segmentOf).filter((segment) => segment.sourcePort === sourcePort)
  const first = segments.find(({ syn }) => syn)!.sequence
  const ranges = segments
    .map(({ sequence, syn, payload }) => [(sequence - first - (syn ? 0 : 1)) >>> 0, payload.length] as const)
    .sort(([a], [b]) => a - b)
  let bytes = 0
  let next = 0
  for (const [start, length] of ranges) {
    bytes += Math.max(0, start + length - Math.max(next, start))
    next = Math.max(next, start + length)
  }
  return bytes
}
