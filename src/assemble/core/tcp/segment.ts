/** The TCP segment in progress: one at a time, so that its fields are globals. */
import { Direction } from './flow'
import { HEADER_BYTES, headerBytes, isSigned } from './header'

/** A segment as its header describes it. */
export class Segment {
  /** The stream of its flow that it was sent on. */
  static direction: Direction = 0
  static seq: i32 = 0
  static ack: i32 = 0
  /** Of the TCP header: FLAG_ bits. */
  static flags: u8 = 0
  /** Its payload is at [at, end); `leftOut` more bytes were not copied, because its flow needs no payload. */
  static at: usize = 0
  static end: usize = 0
  static leftOut: i32 = 0
  /** It carries a TCP-MD5 or TCP-AO signature. */
  static signed: bool = false
}

/** Bytes of payload, with those that were left out. */
export function segmentLength(): i32 {
  return <i32>(Segment.end - Segment.at) + Segment.leftOut
}

/**
 * Reads the header at `tcp`, of a packet that ends at `end`. `direction` is left as it is: only the flow table knows it.
 *
 * @returns false if the header is shorter than TCP's, or longer than the packet
 */
export function readSegment(tcp: usize, end: usize, leftOut: i32): bool {
  const header = headerBytes(tcp)
  const at = tcp + header
  Segment.at = at
  Segment.end = end
  Segment.leftOut = leftOut
  if (header < HEADER_BYTES || at > end) return false
  Segment.seq = bswap<i32>(load<i32>(tcp, 4))
  Segment.ack = bswap<i32>(load<i32>(tcp, 8))
  Segment.flags = load<u8>(tcp, 13)
  Segment.signed = isSigned(tcp, header)
  return true
}
