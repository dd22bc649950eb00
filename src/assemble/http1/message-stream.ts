import { Chain } from '../memory/block-pool.ts'
import type { HttpConnection } from './connection.ts'
import type { Exchange } from './exchange.ts'

/** Where in a message a stream is. Progress is downwards, then back to HEAD; a lost framing goes to SEEK. */
/** Position unknown: waits for a segment that provably begins a message. */
export const SEEK = 0
/** Between messages, in front of a start line. */
export const HEAD = 1
/** Inside a head that began in an earlier segment. */
export const HEAD_PART = 2
/** Inside a body of known length. */
export const COUNTED = 3
export const CHUNK_SIZE = 4
export const CHUNK_EXTENSION = 5
export const CHUNK_DATA = 6
/** At the line end after a chunk's data. */
export const CHUNK_DATA_END = 7
export const TRAILERS = 8
/** Inside a body that the end of the stream delimits. */
export const TO_CLOSE = 9
/** Another protocol took over (CONNECT, 101), or the stream has ended. */
export const OPAQUE = 10

/** The HTTP view of one stream: requests or responses. Pooled with its connection. */
export class MessageStream {
  readonly isResponse: boolean
  readonly connection: HttpConnection
  state = HEAD
  /** Bytes left of a counted body or a chunk. */
  remaining = 0
  /** Line scanning inside heads, chunk lines and trailers: 0 within a line, 1 after LF, 2 after LF CR. */
  eol = 0
  /** Bytes of the current chunk line or trailer section, to bound them. */
  lineBytes = 0
  /** The first bytes of a head that is cut between segments, and where and when it began. */
  readonly partial = new Chain()
  partialSeq = 0
  partialAck = 0
  partialMicros = 0
  /** The exchange of the message in progress; null for a response that belongs to none. */
  exchange: Exchange | null = null
  /** Bytes of the message in progress as on the wire, and of its body without the chunk framing. */
  wireBytes = 0
  bodyBytes = 0
  /** Complete heads so far. */
  heads = 0
  /** A counted body of an orphaned response: it may have none, if the request was HEAD. */
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
    this.lineBytes = 0
    this.exchange = null
    this.wireBytes = 0
    this.bodyBytes = 0
    this.heads = 0
    this.lengthUnsure = false
    this.lastAck = 0
    this.ackKnown = false
  }
}
