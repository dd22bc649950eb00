import { Chain } from '../memory/block-pool.ts'
import type { HttpConnection } from './connection.ts'
import type { Exchange } from './exchange.ts'

/** States of a stream, in the order of a message's progress. SEEK and OPAQUE are outside of messages. */
/** Position unknown: waits for a segment that provably begins a message. */
export const SEEK = 0
/** Between messages, in front of a start line. */
export const HEAD = 1
/** Inside a head that began in an earlier segment. */
export const HEAD_PART = 2
/** Inside a body of known length. */
export const COUNTED = 3
export const CHUNK_SIZE = 4
/** Between the CR and the LF after a chunk size. */
export const CHUNK_SIZE_END = 5
export const CHUNK_EXTENSION = 6
export const CHUNK_DATA = 7
/** At the line end after a chunk's data. */
export const CHUNK_DATA_END = 8
export const TRAILERS = 9
/** Inside a body that ends with the connection. */
export const TO_CLOSE = 10
/** The stream has ended, or carries another protocol (CONNECT, 101). */
export const OPAQUE = 11

/** Progress within a chunk size: no digit yet, digits, a blank behind them. */
export const SIZE_NONE = 0
export const SIZE_DIGITS = 1
export const SIZE_DONE = 2

/** Parser state of one direction of a connection: its requests or its responses. Pooled with its connection. */
export class MessageStream {
  readonly isResponse: boolean
  readonly connection: HttpConnection
  state = HEAD
  /** Bytes left of a counted body or a chunk. */
  remaining = 0
  /** Line scanning inside heads, chunk lines and trailers: 0 within a line, 1 after LF, 2 after LF CR. */
  eol = 0
  /** Progress within a chunk size, a SIZE_ value. */
  sizeState = SIZE_NONE
  /** Bytes of the current chunk line or trailer section, to bound them. */
  lineBytes = 0
  /** The first bytes of a head that is cut between segments, and where and when it began. */
  readonly partial = new Chain()
  partialSeq = 0
  partialAck = 0
  partialMicros = 0
  /** The exchange of the message in progress; null for a response that answers no known request. */
  exchange: Exchange | null = null
  /** Bytes of the message in progress as on the wire, and of its body without the chunk framing. */
  wireBytes = 0
  bodyBytes = 0
  /** Sequence number of the first byte after the head of the message in progress. */
  bodySeq = 0
  /** A counted body of an orphaned response, which is absent if the request was HEAD. */
  lengthUnsure = false
  /** Acknowledgement number of the last segment delivered, once `ackKnown`. */
  lastAck = 0
  ackKnown = false

  constructor(connection: HttpConnection, isResponse: boolean) {
    this.connection = connection
    this.isResponse = isResponse
  }

  reset(): void {
    this.state = HEAD
    this.remaining = 0
    this.eol = 0
    this.sizeState = SIZE_NONE
    this.lineBytes = 0
    this.exchange = null
    this.wireBytes = 0
    this.bodyBytes = 0
    this.bodySeq = 0
    this.lengthUnsure = false
    this.lastAck = 0
    this.ackKnown = false
  }
}
