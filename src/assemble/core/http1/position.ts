/** Position in its stream, and time, of the message being parsed. Set by the parser, read by the handlers of its messages. */
export class Position {
  /** Acknowledgement number of the segment being parsed. */
  static ack: i32 = 0
  /** Sequence number minus address of its bytes. */
  static base: i32 = 0
  /** Of the head being handled: its first byte's sequence number, acknowledgement and time. */
  static headSeq: i32 = 0
  static headAck: i32 = 0
  static headMicros: f64 = 0
}

/** Sequence number of the byte at `address` of the segment being parsed. */
export function seqAt(address: usize): i32 {
  return Position.base + <i32>address
}
