/** Position in its stream, and time, of the message being parsed. Set by the parser, read by the handlers of its messages. */
export class Position {
  /** Acknowledgement number of the segment being parsed. */
  ack = 0
  /** Sequence number minus address of its bytes. */
  base = 0
  /** Of the head being handled: its first byte's sequence number, acknowledgement and time. */
  headSeq = 0
  headAck = 0
  headMicros = 0

  /** Sequence number of the byte at `address` of the segment being parsed. */
  seqAt(address: number): number {
    return (this.base + address) | 0
  }
}
