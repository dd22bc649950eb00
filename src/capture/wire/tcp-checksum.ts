/**
 * Verifies the checksum of a reassembled TCP segment. Only this shows that its fragments belong together: a sender repeats
 * identifications, so after a loss a fragment may be joined with one of another packet (RFC 4963). Its receiver drops it.
 */
import { PROTOCOL_TCP } from '../../net/ip-protocols.ts'

const CHECKSUM_AT = 16

/**
 * @param version 4 or 6; @param ip offset of the IP header, @param tcp of the TCP header, which is complete
 * @param end one past the segment's last byte
 * @returns false when the checksum is wrong; true also when it is not filled in: 0, or the sum of the pseudo-header
 *   alone, which senders leave to the network card
 */
export function hasValidChecksum(view: DataView, version: number, ip: number, tcp: number, end: number): boolean {
  const checksum = view.getUint16(tcp + CHECKSUM_AT)
  const addresses = version === 4 ? ip + 12 : ip + 8
  const pseudoHeader = fold(PROTOCOL_TCP + (end - tcp) + sumOf(view, addresses, addresses + (version === 4 ? 8 : 32)))
  if (checksum === 0 || checksum === pseudoHeader) return true
  return fold(pseudoHeader + sumOf(view, tcp, end)) === 0xffff
}

/** Sum of 16-bit words, the last one padded with 0 (RFC 1071 §1). Below 2^32 for at most 64 KiB. */
function sumOf(view: DataView, start: number, end: number): number {
  const whole = end - ((end - start) & 1)
  let sum = 0
  for (let at = start; at < whole; at += 2) sum += view.getUint16(at)
  return whole < end ? sum + (view.getUint8(whole) << 8) : sum
}

/** Adds the carries. @param sum below 2^32 */
function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16)
  return (once & 0xffff) + (once >>> 16)
}
