/** The TCP segment in progress. */
import { FLAGS_AT, HEADER_BYTES, headerBytes, isSigned } from '../../net/tcp-header.ts'
import type { Direction } from './flow.ts'

/** A segment as its header describes it. Each assembler has one object, which it fills anew for every segment. */
export class TcpSegment {
  /** The stream of its flow that it was sent on. */
  direction: Direction = 0
  /** Sequence and acknowledgement number, int32. */
  seq = 0
  ack = 0
  /** Of the TCP header: FLAG_ bits. */
  flags = 0
  /** Its payload is at [at, end); `leftOut` more bytes were not copied, because its flow needs no payload. */
  at = 0
  end = 0
  leftOut = 0
  /** It carries a TCP-MD5 or TCP-AO signature. */
  signed = false

  /** Bytes of payload, with those that were left out. */
  get length(): number {
    return this.end - this.at + this.leftOut
  }

  /**
   * Reads the header at `tcp`, of a packet that ends at `end`. `direction` is left as it is: only the flow table knows it.
   *
   * @returns false if the header is shorter than TCP's, or longer than the packet
   */
  read(view: DataView, tcp: number, end: number, leftOut: number): boolean {
    const header = headerBytes(view, tcp)
    this.at = tcp + header
    this.end = end
    this.leftOut = leftOut
    if (header < HEADER_BYTES || this.at > end) return false
    this.seq = view.getInt32(tcp + 4)
    this.ack = view.getInt32(tcp + 8)
    this.flags = view.getUint8(tcp + FLAGS_AT)
    this.signed = isSigned(view, tcp, header)
    return true
  }
}
