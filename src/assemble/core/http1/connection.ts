/**
 * What is known of a connection that carries HTTP/1: its two streams of messages, and the exchanges of which they are
 * halves.
 *
 *     Connection ─┬─ requests:  MessageStream ──▶ Progress ──▶ Exchange ◀── the one whose request is in progress
 *                 ├─ responses: MessageStream ──▶ Progress ──▶ Exchange ◀── the one whose response is
 *                 ├─ first … last: Exchange ─next─▶ Exchange  requests that wait for their responses, in a ring
 *                 ├─ flow
 *                 └┄ its place in the table ┄▶ Doubts: confirming, contested: Exchange   complete pairs that wait for a proof
 *
 *     Exchange ─┬─ request: Message
 *               └─ response ──▶ Message, once it has begun
 *
 * Records: a connection is followed by its two streams, an exchange by its request. Doubts, which few connections have, are a table of
 * its own in the order of the connections: memory is used only for those that are written. The modules around this file hold the rules.
 */
import * as C from '../counters'
import { add } from '../counts'
import { Chain, free, heldBytes } from '../memory/chain'
import { Region } from '../memory/regions'
import { allocateRecord, freeRecord } from '../memory/slab'
import { NO_REASON, REASON_TIMEOUT } from '../reasons'
import { Flow, Stream, streamOf } from '../tcp/flow'
import { HEAD } from './stream-states'

/** Bits of `Connection.flags`. */
const RESPONSE_DOUBT: u16 = 1 << 0
const REQUEST_DOUBT: u16 = 1 << 1
const ACK_BEFORE_GAP_KNOWN: u16 = 1 << 2
const ANSWERED_KNOWN: u16 = 1 << 3
const ORPHAN_KNOWN: u16 = 1 << 4
const BEGUN_KNOWN: u16 = 1 << 5
const PIPELINING: u16 = 1 << 6
const RECOGNISED: u16 = 1 << 7
const CONFIRMING: u16 = 1 << 8
const CONTESTED: u16 = 1 << 9
const SKIPPED: u16 = 1 << 10
/** The bits from here on hold `overlapping`. */
const OVERLAP_SHIFT: u16 = 11
/** For so many requests sequence numbers prove nothing once a client has begun one within a response. */
export const OVERLAP_REQUESTS: u16 = 31

/** A flow that carries HTTP/1: two message streams and the requests that wait for their responses. */
@unmanaged
export class Connection {
  flow: Flow
  /** The newest of the unanswered requests, whose `next` is the oldest. Abandoned ones stay in the queue to absorb their responses. */
  last: Exchange | null
  /** The last final response that ended: the sequence number after it, and what the server had acknowledged when it began. */
  answeredSeq: i32
  answeredAck: i32
  /** Acknowledgement number of the segment in which the last request began, even if it was abandoned. */
  begunAck: i32
  /** Requests in the queue. */
  queued: u16
  flags: u16
  /** The oldest of the unanswered requests. */
  get first(): Exchange | null {
    const last = this.last
    return last === null ? null : last.next
  }
  /** Responses may be missing, so their order proves nothing until sequence numbers prove a match. */
  get responseDoubt(): bool {
    return (this.flags & RESPONSE_DOUBT) !== 0
  }
  set responseDoubt(is: bool) {
    this.flags = is ? this.flags | RESPONSE_DOUBT : this.flags & ~RESPONSE_DOUBT
  }
  /** An unknown number of requests may be missing before the next one. */
  get requestDoubt(): bool {
    return (this.flags & REQUEST_DOUBT) !== 0
  }
  set requestDoubt(is: bool) {
    this.flags = is ? this.flags | REQUEST_DOUBT : this.flags & ~REQUEST_DOUBT
  }
  /** `Doubts.ackBeforeGap` counts. */
  get ackBeforeGapKnown(): bool {
    return (this.flags & ACK_BEFORE_GAP_KNOWN) !== 0
  }
  set ackBeforeGapKnown(is: bool) {
    this.flags = is ? this.flags | ACK_BEFORE_GAP_KNOWN : this.flags & ~ACK_BEFORE_GAP_KNOWN
  }
  get answeredKnown(): bool {
    return (this.flags & ANSWERED_KNOWN) !== 0
  }
  set answeredKnown(is: bool) {
    this.flags = is ? this.flags | ANSWERED_KNOWN : this.flags & ~ANSWERED_KNOWN
  }
  /** `Doubts.orphanSeq` counts. */
  get orphanKnown(): bool {
    return (this.flags & ORPHAN_KNOWN) !== 0
  }
  set orphanKnown(is: bool) {
    this.flags = is ? this.flags | ORPHAN_KNOWN : this.flags & ~ORPHAN_KNOWN
  }
  get begunKnown(): bool {
    return (this.flags & BEGUN_KNOWN) !== 0
  }
  set begunKnown(is: bool) {
    this.flags = is ? this.flags | BEGUN_KNOWN : this.flags & ~BEGUN_KNOWN
  }
  /** The client has sent a request before the response to the previous one: sequence numbers prove nothing then. */
  get pipelining(): bool {
    return (this.flags & PIPELINING) !== 0
  }
  set pipelining(is: bool) {
    this.flags = is ? this.flags | PIPELINING : this.flags & ~PIPELINING
  }
  /**
   * How many requests must begin until sequence numbers prove matches again, 0 to OVERLAP_REQUESTS: the client has begun a
   * request within a response. Such a client does so again and again, while one damaged segment looks like it once.
   */
  get overlapping(): u16 {
    return this.flags >> OVERLAP_SHIFT
  }
  set overlapping(requests: u16) {
    this.flags = (this.flags & ~(OVERLAP_REQUESTS << OVERLAP_SHIFT)) | (requests << OVERLAP_SHIFT)
  }
  /** The client's last segment was skipped, at least its end: it may hold requests. */
  get skipped(): bool {
    return (this.flags & SKIPPED) !== 0
  }
  set skipped(is: bool) {
    this.flags = is ? this.flags | SKIPPED : this.flags & ~SKIPPED
  }
  /** Counted as a flow that carries HTTP/1. */
  get recognised(): bool {
    return (this.flags & RECOGNISED) !== 0
  }
  set recognised(is: bool) {
    this.flags = is ? this.flags | RECOGNISED : this.flags & ~RECOGNISED
  }
  /** A pair matched by sequence numbers that the client's next request confirms or refutes. */
  get confirming(): Exchange | null {
    return (this.flags & CONFIRMING) === 0 ? null : doubtsOf(this).confirming
  }
  set confirming(exchange: Exchange | null) {
    this.flags = exchange === null ? this.flags & ~CONFIRMING : this.flags | CONFIRMING
    if (exchange !== null) doubtsOf(this).confirming = exchange
  }
  /** A pair whose response is followed by another one, or by none, if it ends where it seems to end. */
  get contested(): Exchange | null {
    return (this.flags & CONTESTED) === 0 ? null : doubtsOf(this).contested
  }
  set contested(exchange: Exchange | null) {
    this.flags = exchange === null ? this.flags & ~CONTESTED : this.flags | CONTESTED
    if (exchange !== null) doubtsOf(this).contested = exchange
  }
}

/**
 * State that only connections in doubt need. A record is not cleared when it is reused: flags of the connection show which fields
 * are valid.
 */
@unmanaged
export class Doubts {
  confirming: Exchange | null
  contested: Exchange | null
  /** What the client had acknowledged before unknown requests; valid once `ackBeforeGapKnown`. */
  ackBeforeGap: i32
  /** The sequence number after the last final response for which no request was waiting; valid once `orphanKnown`. */
  orphanSeq: i32
}

/** The messages of one direction of a connection: its requests or its responses. */
@unmanaged
export class MessageStream {
  /** State of the message in progress; null between messages. */
  progress: Progress | null
  /** Acknowledgement number of the last segment delivered; valid once `ackKnown`. */
  lastAck: i32
  state: u8
  /** Why messages may be missing, a REASON_ value; NO_REASON if the capture began within the connection. */
  doubtReason: i8
  isResponse: bool
  ackKnown: bool
}

/** Parser state of a message in progress, which may still be an incomplete head. A stream between two messages has none. */
@unmanaged
export class Progress {
  /** Bytes left of a counted body or a chunk. */
  remaining: i64
  /** Length of a body that was announced at this position but seems not to have been sent; otherwise 0. */
  unsentBytes: i64
  /** When a head that is cut between segments began. */
  partialMicros: f64
  /** When bytes were last added to those that the message holds in the pool (see open-messages.ts). */
  openMicros: f64
  stream: MessageStream
  /** The exchange of the message; null for a response that answers no known request. */
  exchange: Exchange | null
  openBytes: usize
  older: Progress | null
  newer: Progress | null
  /** Bytes of the current chunk line or trailer section, to bound them. */
  lineBytes: i32
  /** Bytes of the message on the wire (a lower bound from HUGE_BYTES on), and of its body without chunk framing. */
  wireBytes: i32
  bodyBytes: i32
  /** Sequence number of the first byte after the head. */
  bodySeq: i32
  /** A Chain with the first bytes of a head that is cut between segments, and where it began. `partialAck` is set for any message. */
  partialFirst: usize
  partialLast: usize
  partialLength: usize
  partialRoom: u16
  partialSeq: i32
  partialAck: i32
  /** Line scanning inside heads, chunk lines and trailers: 0 within a line, 1 after LF, 2 after LF CR. */
  eol: u8
  /** Progress within a chunk size, a SIZE_ value. */
  sizeState: u8
  /** The response is orphaned and announces a length, but has no body if its unknown request was HEAD. */
  lengthUnsure: bool
}

/** One half of an exchange. Its chain is the encoded message up to the end of its body; empty if the pair is not kept. */
@unmanaged
export class Message extends Chain {
  /** Anomalies of the head, as ANOMALY_ bits. */
  anomalies: u16
  startMicros: f64
  endMicros: f64
  /** Sequence numbers of the first byte and of the byte after the last. */
  startSeq: i32
  endSeq: i32
  /** This message's half of the pair id. */
  digest1: u32
  digest2: u32
  wireBytes: i32
  bodyBytes: i32
}

/** Bits of `Exchange.flags`. */
const HEAD_IN_BODY: u8 = 1 << 0
const INTERIM_KNOWN: u8 = 1 << 1
const GAP_ACK_KNOWN: u8 = 1 << 2

/**
 * A request and its response. Freed once neither the queue, nor a stream, nor an expected proof refers to it.
 */
@unmanaged
export class Exchange {
  /** When the exchange began to wait, and its neighbours in the list of waiting exchanges (see deadlines.ts). */
  waitingMicros: f64
  older: Exchange | null
  newer: Exchange | null
  /** The next exchange of the circular queue: the newest links to the oldest. */
  next: Exchange | null
  connection: Connection
  /** Null until it begins. */
  response: Message | null
  /** Acknowledgement numbers of the segments with the request's first and last byte. The response begins at one of them. */
  ackFirst: i32
  ackLast: i32
  /** Acknowledgement number of the segment with what seems to be a request head; valid once `headInBody`. */
  headInBodyAck: i32
  /** Where the last captured 1xx response ended, and so the final response begins; valid once `interimKnown`. */
  interimSeq: i32
  /** What the client had acknowledged before the unknown requests; valid once `ackBeforeGapKnown`. */
  ackBeforeGap: i32
  method: u8
  /** The rule that filters the pair, or RULE_NONE. */
  rule: u8
  /** Why it is abandoned, a REASON_ value. */
  reason: i8
  /** Why unknown requests may precede this one, a REASON_ value. */
  gapReason: i8
  contentTypeListed: bool
  /** Already counted; stays queued only to absorb its response. */
  abandoned: bool
  queued: bool
  requestOpen: bool
  requestDone: bool
  responseOpen: bool
  responseDone: bool
  /** The response began before the request had ended. */
  early: bool
  /** The client has sent something new before this response was complete, or may have: its end has to be confirmed. */
  contested: bool
  /** Unknown requests may lie between the previous one and this one. */
  gapBefore: bool
  /** Matched by sequence numbers; the client's next request has to confirm it. */
  unconfirmed: bool
  /** The server closes the connection after the response, and with it may have left later requests unanswered. */
  closes: bool
  /** The exchange is in the list of waiting exchanges. */
  waits: bool
  /** Nothing reads the pair, so it is not written: its length alone is found. */
  measured: bool
  flags: u8
  get responseBegun(): bool {
    return this.response !== null
  }
  /** A request head seems to begin right after the head of this request. */
  get headInBody(): bool {
    return (this.flags & HEAD_IN_BODY) !== 0
  }
  set headInBody(is: bool) {
    this.flags = is ? this.flags | HEAD_IN_BODY : this.flags & ~HEAD_IN_BODY
  }
  get interimKnown(): bool {
    return (this.flags & INTERIM_KNOWN) !== 0
  }
  set interimKnown(is: bool) {
    this.flags = is ? this.flags | INTERIM_KNOWN : this.flags & ~INTERIM_KNOWN
  }
  get ackBeforeGapKnown(): bool {
    return (this.flags & GAP_ACK_KNOWN) !== 0
  }
  set ackBeforeGapKnown(is: bool) {
    this.flags = is ? this.flags | GAP_ACK_KNOWN : this.flags & ~GAP_ACK_KNOWN
  }
}

const CONNECTION_HEAD: usize = (offsetof<Connection>() + 3) & ~3
const STREAM_BYTES: usize = (offsetof<MessageStream>() + 3) & ~3
/** A connection with its streams. */
export const CONNECTION_BYTES: usize = CONNECTION_HEAD + 2 * STREAM_BYTES
/** What is kept of a message in progress. */
export const PROGRESS_BYTES: usize = (offsetof<Progress>() + 7) & ~7
const EXCHANGE_HEAD: usize = (offsetof<Exchange>() + 7) & ~7
/** A message that is a record of its own: a response. */
export const MESSAGE_BYTES: usize = (offsetof<Message>() + 7) & ~7
/** An exchange with its request. */
export const EXCHANGE_BYTES: usize = EXCHANGE_HEAD + MESSAGE_BYTES
export const DOUBTS_BYTES: usize = offsetof<Doubts>()

/** What only some connections need; its flags show which fields are valid. */
export function doubtsOf(connection: Connection): Doubts {
  const index = <u32>(changetype<usize>(connection) - Region.firstConnection) / <u32>CONNECTION_BYTES
  return changetype<Doubts>(Region.doubts + <usize>index * DOUBTS_BYTES)
}

/** The request of an exchange: part of its record, empty until it begins. */
export function requestOf(exchange: Exchange): Message {
  return changetype<Message>(changetype<usize>(exchange) + EXCHANGE_HEAD)
}

/** The response of an exchange, which has begun. */
export function responseOf(exchange: Exchange): Message {
  return changetype<Message>(exchange.response)
}

/** The response of an exchange begins. There is room: each exchange may have one. */
export function beginResponse(exchange: Exchange): Message {
  const response = changetype<Message>(allocateRecord(Region.responses))
  exchange.response = response
  return response
}

/** The request behind this one in its queue, or null. */
export function behind(connection: Connection, exchange: Exchange): Exchange | null {
  return exchange === connection.last ? null : exchange.next
}

/** The stream of the connection's client. */
export function requestsOf(connection: Connection): MessageStream {
  return changetype<MessageStream>(changetype<usize>(connection) + CONNECTION_HEAD)
}

/** The stream of the connection's server. */
export function responsesOf(connection: Connection): MessageStream {
  return changetype<MessageStream>(changetype<usize>(connection) + CONNECTION_HEAD + STREAM_BYTES)
}

/** The connection of which a stream is part. */
export function connectionOf(stream: MessageStream): Connection {
  const before = stream.isResponse ? CONNECTION_HEAD + STREAM_BYTES : CONNECTION_HEAD
  return changetype<Connection>(changetype<usize>(stream) - before)
}

/** What is kept of the message in progress. There is one, or one has just ended. */
export function progressOf(stream: MessageStream): Progress {
  return changetype<Progress>(stream.progress)
}

/** A message begins. There is room: each stream may have one in progress. */
export function beginProgress(stream: MessageStream): Progress {
  const present = stream.progress
  if (present !== null) return present
  const progress = changetype<Progress>(allocateRecord(Region.progress))
  progress.stream = stream
  stream.progress = progress
  return progress
}

/** No message is in progress, and the last one is in no list. */
export function endProgress(stream: MessageStream): void {
  const progress = stream.progress
  if (progress === null) return
  // A head may have been cut where the connection became another protocol's.
  free(partialOf(progress))
  stream.progress = null
  freeRecord(Region.progress, changetype<usize>(progress))
}

/** The exchange of the message in progress; null where there is none. */
export function exchangeOf(stream: MessageStream): Exchange | null {
  const progress = stream.progress
  return progress === null ? null : progress.exchange
}

/** A message of so many bytes on the wire may have more: it is far beyond any limit. */
export const HUGE_BYTES: i32 = 1 << 29

/** Adds bytes on the wire, of a gap up to 2^31 - 1, to the message in progress. Where 32 bits might not hold them, some are counted at once. */
export function addWireBytes(progress: Progress, bytes: i32): void {
  const sum = <u32>progress.wireBytes + <u32>bytes
  if (sum < <u32>(2 * HUGE_BYTES)) {
    progress.wireBytes = <i32>sum
    return
  }
  progress.wireBytes = HUGE_BYTES
  if (progress.exchange !== null) add(C.bytesHttp, <f64>(sum - <u32>HUGE_BYTES))
}

/** The chain of a head that is cut between segments. */
export function partialOf(progress: Progress): Chain {
  return changetype<Chain>(changetype<usize>(progress) + offsetof<Progress>('partialFirst'))
}

/** There is room: each flow may have a connection. */
export function newConnection(flow: Flow): Connection {
  const connection = changetype<Connection>(allocateRecord(Region.connections))
  connection.flow = flow
  const requests = requestsOf(connection)
  requests.state = HEAD
  requests.doubtReason = NO_REASON
  const responses = responsesOf(connection)
  responses.state = HEAD
  responses.doubtReason = NO_REASON
  responses.isResponse = true
  return connection
}

/** Frees the record of a connection. Its exchanges have ended, and neither stream has a message in progress. */
export function freeConnection(connection: Connection): void {
  freeRecord(Region.connections, changetype<usize>(connection))
}

/** Nothing may have been allocated beyond the bound that `ownerIsFull` (eviction.ts) reports. */
export function newExchange(connection: Connection): Exchange {
  const exchange = changetype<Exchange>(allocateRecord(Region.exchanges))
  exchange.connection = connection
  exchange.reason = REASON_TIMEOUT
  exchange.gapReason = NO_REASON
  return exchange
}

/** Frees the record of an exchange to which nothing refers any more (`settle` in outcomes.ts). */
export function freeExchange(exchange: Exchange): void {
  const response = exchange.response
  if (response !== null) freeRecord(Region.responses, changetype<usize>(response))
  freeRecord(Region.exchanges, changetype<usize>(exchange))
}

/** Frees the bytes that are stored of both messages. */
export function freeMessages(exchange: Exchange): void {
  free(requestOf(exchange))
  const response = exchange.response
  if (response !== null) free(response)
}

/** Bytes of the pool that are in use for both messages. */
export function heldByExchange(exchange: Exchange): usize {
  const response = exchange.response
  return heldBytes(requestOf(exchange)) + (response === null ? 0 : heldBytes(response))
}

/** Bytes on the wire of the response, as far as they are known. */
export function responseWireBytes(exchange: Exchange): i32 {
  const response = exchange.response
  return response === null ? 0 : response.wireBytes
}

/** Frees the bytes of a head that was cut between segments, if there are any. */
export function freePartial(stream: MessageStream): void {
  const progress = stream.progress
  if (progress === null) return
  free(partialOf(progress))
  progress.unsentBytes = 0
}

/** The client's stream, as TCP has it. */
export function clientStream(connection: Connection): Stream {
  const flow = connection.flow
  return streamOf(flow, flow.client === 0 ? 0 : 1)
}

/** The server's stream, as TCP has it. */
export function serverStream(connection: Connection): Stream {
  const flow = connection.flow
  return streamOf(flow, flow.client === 0 ? 1 : 0)
}
