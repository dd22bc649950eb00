/** The TCP segment in progress: one at a time, so that its fields are globals. */
import { Direction } from './flow'
import { FLAG_FIN, HEADER_BYTES, headerBytes, isSigned } from './header'

const IPV6_HEADER_BYTES: usize = 40

/** A segment as its header describes it. */
export class Segment {
  /** The stream of its flow that it was sent on. */
  static direction: Direction = 0
  static seq: i32 = 0
  static ack: i32 = 0
  /** Flags of the TCP header, FLAG_ bits. */
  static flags: u8 = 0
  /** Its payload is at [at, end); `leftOut` more bytes were not copied, because its flow needs no payload. */
  static at: usize = 0
  static end: usize = 0
  static leftOut: i32 = 0
  /** Bytes of payload that a snap length cut off; read only of a segment with a FIN, which lies behind them. */
  static cut: i32 = 0
  /** It carries a TCP-MD5 or TCP-AO signature. */
  static signed: bool = false
}

/** Bytes of payload, with those that were left out. */
export function segmentLength(): i32 {
  return <i32>(Segment.end - Segment.at) + Segment.leftOut
}

/**
 * Reads the header at `tcp`, of the packet at `ip`, of which the bytes up to `end` were captured. `direction` is left
 * as it is: only the flow table knows it.
 *
 * @returns false if the header is shorter than TCP's, or longer than the packet
 */
export function readSegment(ip: usize, tcp: usize, end: usize, leftOut: i32): bool {
  const header = headerBytes(tcp)
  const at = tcp + header
  Segment.at = at
  Segment.end = end
  Segment.leftOut = leftOut
  if (header < HEADER_BYTES || at > end) return false
  Segment.seq = bswap<i32>(load<i32>(tcp, 4))
  Segment.ack = bswap<i32>(load<i32>(tcp, 8))
  Segment.flags = load<u8>(tcp, 13)
  Segment.cut = (Segment.flags & FLAG_FIN) === 0 ? 0 : cutBytes(ip, end)
  Segment.signed = isSigned(tcp, header)
  return true
}

/** How much longer the packet is than what was captured, by its IP header. A length of 0 is unknown (BIG TCP). */
function cutBytes(ip: usize, end: usize): i32 {
  const isVersion4 = load<u8>(ip) >> 4 === 4
  const length = <usize>bswap<u16>(load<u16>(ip + (isVersion4 ? 2 : 4)))
  const wireEnd = ip + length + (isVersion4 ? 0 : IPV6_HEADER_BYTES)
  return length === 0 || wireEnd <= end ? 0 : <i32>(wireEnd - end)
}
