/**
 * What is known of a connection that carries HTTP/1: its two streams of messages, and the exchanges of which they are
 * halves.
 *
 *     HttpConnection ─┬─ requests:  MessageStream ── exchange ──▶ Exchange ◀── the one whose request is in progress
 *                     ├─ responses: MessageStream ── exchange ──▶ Exchange ◀── the one whose response is
 *                     ├─ first … last: Exchange ─next─▶ Exchange  requests that wait for their responses
 *                     ├─ confirming, contested: Exchange          complete pairs that wait for a proof
 *                     └─ flow
 *
 * One state in four classes that refer to each other; the modules around this file hold the rules. Objects are pooled.
 */
import { NO_REASON, REASON_GAP, REASON_RESET, REASON_TIMEOUT } from '../../ledger/reasons.ts'
import { METHOD_OTHER } from '../head-scanner/layout.ts'
import { type BlockPool, Chain } from '../memory/block-pool.ts'
import type { Flow, Stream } from '../tcp/flow.ts'
import { hasDelivered } from '../tcp/handshake.ts'
import { seqDiff } from '../tcp/seq.ts'
import { HEAD, HEAD_PART, SEEK, SIZE_NONE } from './stream-states.ts'

/** A flow that carries HTTP/1: two message streams and the requests that wait for their responses. Pooled. */
export class HttpConnection {
  flow: Flow | null = null
  readonly requests: MessageStream = new MessageStream(this, false)
  readonly responses: MessageStream = new MessageStream(this, true)
  /** Unanswered requests in order. Abandoned ones stay in the queue to absorb their responses. */
  first: Exchange | null = null
  last: Exchange | null = null
  queued = 0
  /** The order of responses proves nothing: some may be missing. Until sequence numbers prove a match. */
  responseDoubt = false
  /** Why, a REASON_ value; NO_REASON if the capture began within the connection. */
  responseDoubtReason = NO_REASON
  /** An unknown number of requests may be missing before the next one. */
  requestDoubt = false
  requestDoubtReason = NO_REASON
  /** Up to where the client had been answered before those, once `ackBeforeGapKnown`. */
  ackBeforeGap = 0
  ackBeforeGapKnown = false
  /** Of the last final response that ended: the sequence number after it, and how much the server had received by then. */
  answeredSeq = 0
  answeredAck = 0
  answeredKnown = false
  /** The sequence number after the last final response for which no request was waiting. */
  orphanSeq = 0
  orphanKnown = false
  /** Acknowledgement number of the segment in which the last request began, even if it was abandoned. */
  begunAck = 0
  begunKnown = false
  /** The client has sent a request before the response to the previous one: sequence numbers prove nothing then. */
  pipelining = false
  /** A pair matched by sequence numbers that the client's next request confirms or refutes. */
  confirming: Exchange | null = null
  /** A pair whose response is followed by another one, or by none, if it ends where it seems to end. */
  contested: Exchange | null = null
  /** Counted as a flow that carries HTTP/1. */
  recognised = false

  open(flow: Flow): void {
    this.flow = flow
    this.requests.reset()
    this.responses.reset()
    this.first = null
    this.last = null
    this.queued = 0
    this.responseDoubt = false
    this.responseDoubtReason = NO_REASON
    this.requestDoubt = false
    this.requestDoubtReason = NO_REASON
    this.ackBeforeGap = 0
    this.ackBeforeGapKnown = false
    this.answeredSeq = 0
    this.answeredAck = 0
    this.answeredKnown = false
    this.orphanSeq = 0
    this.orphanKnown = false
    this.begunAck = 0
    this.begunKnown = false
    this.pipelining = false
    this.confirming = null
    this.contested = null
    this.recognised = false
  }

  /** Requests were lost behind the last one, or what follows it is no request. */
  get requestsLost(): boolean {
    return this.requestDoubt && this.requestDoubtReason !== NO_REASON
  }

  /** The client's stream, as TCP has it. */
  get clientStream(): Stream {
    const flow = this.flow as Flow
    return flow.streams[flow.clientDirection === 0 ? 0 : 1]
  }

  /** The server's stream, as TCP has it. */
  get serverStream(): Stream {
    const flow = this.flow as Flow
    return flow.streams[flow.clientDirection === 0 ? 1 : 0]
  }

  /**
   * A final response has ended before `seq`, in a segment with acknowledgement number `ack`.
   *
   * @param isOrphan no request was waiting for it
   */
  answered(seq: number, ack: number, isOrphan: boolean): void {
    this.answeredSeq = seq
    this.answeredAck = ack
    this.answeredKnown = true
    if (!isOrphan) return
    this.orphanSeq = seq
    this.orphanKnown = true
  }

  /**
   * The requests before this point were not captured.
   *
   * @param fromStart they begin with the connection, when the client had received up to `serverSeq`
   */
  startInDoubt(fromStart: boolean, serverSeq: number): void {
    this.requests.state = SEEK
    this.seekResponses()
    this.requestDoubt = true
    this.requestDoubtReason = fromStart ? REASON_GAP : NO_REASON
    this.ackBeforeGap = serverSeq
    this.ackBeforeGapKnown = fromStart
  }

  /**
   * Both streams' first numbers are known now: order counts again if the first request, whose head may be incomplete, has
   * them and nothing precedes it.
   */
  begin(): void {
    const { first, requests, clientStream, serverStream } = this
    if (hasDelivered(serverStream)) return
    const isBegun = first !== null || requests.state === HEAD_PART
    const seq = first === null ? requests.partial.seq : first.request.startSeq
    const ack = first === null ? requests.partial.ack : first.ackFirst
    // A SYN with a request acknowledges nothing.
    if (!isBegun || seq !== clientStream.firstSeq || (ack !== serverStream.firstSeq && ack !== 0)) return
    if (first === null) this.requestDoubt = false
    else first.gapBefore = false
    this.responseDoubt = false
    this.responses.state = HEAD
  }

  /** An unknown number of responses may precede the next one. */
  seekResponses(): void {
    this.responses.state = SEEK
    this.doubtResponses(NO_REASON)
  }

  /**
   * What was sent around a RST that its receiver ignored was not read.
   *
   * @param withRequest a request begins at once: that showed that the RST was ignored
   */
  resume(withRequest: boolean): void {
    this.startInDoubt(false, 0)
    if (withRequest) this.requests.state = HEAD
    this.doubtResponses(REASON_RESET)
    this.requestDoubtReason = REASON_RESET
  }

  /** From here on responses may be missing, or bytes that seem to be responses may be none. @param reason a REASON_ value */
  doubtResponses(reason: number): void {
    this.responseDoubt = true
    this.responseDoubtReason = reason
  }

  /**
   * An unknown number of requests is missing here.
   *
   * @param reason a REASON_ value
   * @param lastAck what the client had acknowledged before, if `ackKnown`; more may have been answered since
   */
  doubtRequests(reason: number, lastAck: number, ackKnown: boolean): void {
    const answers = this.serverStream
    const more = answers.known && (!ackKnown || seqDiff(lastAck, answers.nextSeq) > 0)
    this.requestDoubt = true
    this.requestDoubtReason = reason
    this.ackBeforeGap = more ? answers.nextSeq : lastAck
    this.ackBeforeGapKnown = ackKnown || answers.known
  }
}

/** The first bytes of a head that is cut between segments, and where and when it began. */
class PartialHead {
  readonly chain = new Chain()
  seq = 0
  ack = 0
  micros = 0
  /** It stands where a body of this length was announced, of which nothing seems to have been sent; otherwise 0. */
  unsentBytes = 0
}

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
  #partial: PartialHead | null = null
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
  /** What its message in progress holds in the pool, since when nothing was added, and its neighbours (see OpenMessages). */
  openBytes = 0
  openMicros = 0
  older: MessageStream | null = null
  newer: MessageStream | null = null

  constructor(connection: HttpConnection, isResponse: boolean) {
    this.connection = connection
    this.isResponse = isResponse
  }

  /** The head that is cut between segments; made when first needed. */
  get partial(): PartialHead {
    this.#partial ??= new PartialHead()
    return this.#partial
  }

  /** Frees the bytes of a head that was cut between segments, if there are any. */
  freePartial(pool: BlockPool): void {
    if (this.#partial === null) return
    pool.free(this.#partial.chain)
    this.#partial.unsentBytes = 0
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

/** One half of an exchange. */
export class MessageRecord {
  /** The encoded message up to the end of its body (see MessageWriter); empty if the pair is not kept. */
  readonly chain = new Chain()
  startMicros = 0
  endMicros = 0
  /** Sequence numbers of the first byte and of the byte after the last. */
  startSeq = 0
  endSeq = 0
  /** This message's half of the pair id. */
  digest1 = 0
  digest2 = 0
  wireBytes = 0
  bodyBytes = 0
  /** ANOMALY_ bits. */
  anomalies = 0
}

/**
 * A request and its response. Pooled: returned to the pool once neither the queue, nor a stream, nor a pending
 * confirmation refers to it.
 */
export class Exchange {
  /** Its number (see ExchangeTable). */
  index = -1
  next: Exchange | null = null
  connection: HttpConnection | null = null
  readonly request = new MessageRecord()
  #response: MessageRecord | null = null
  method = METHOD_OTHER
  /** The rule that filters the pair, or RULE_NONE. */
  rule = 0
  contentTypeListed = false
  /** Already counted; stays queued only to absorb its response. */
  abandoned = false
  /** Why, a REASON_ value. */
  reason = REASON_TIMEOUT
  queued = false
  requestOpen = false
  requestDone = false
  responseOpen = false
  responseBegun = false
  responseDone = false
  /** The response began before the request had ended. */
  early = false
  /** Acknowledgement numbers of the segments with the request's first and last byte: the response begins there. */
  ackFirst = 0
  ackLast = 0
  /** A request head seems to begin right after the head of this request, in a segment with this acknowledgement number. */
  headInBody = false
  headInBodyAck = 0
  /** The client has sent something new before this response was complete, or may have: its end has to be confirmed. */
  contested = false
  /** Where the last of the 1xx responses that were seen has ended, once `interimKnown`: the final response begins there. */
  interimSeq = 0
  interimKnown = false
  /** Unknown requests may lie between the previous one and this one. */
  gapBefore = false
  /** Why, a REASON_ value. */
  gapReason = NO_REASON
  /** How much the client had acknowledged before that gap, once `ackBeforeGapKnown`. */
  ackBeforeGap = 0
  ackBeforeGapKnown = false
  /** Matched by sequence numbers; the client's next request has to confirm it. */
  unconfirmed = false
  /** The server closes the connection after the response, and with it may have left later requests unanswered. */
  closes = false
  /** Made when first needed: most waiting exchanges have none. */
  get response(): MessageRecord {
    this.#response ??= new MessageRecord()
    return this.#response
  }

  /** Bytes on the wire of the response, as far as they are known. */
  get responseWireBytes(): number {
    return this.responseBegun ? this.response.wireBytes : 0
  }

  /** Bytes of the pool that are in use for both messages. */
  get heldBytes(): number {
    return this.request.chain.heldBytes + (this.#response === null ? 0 : this.#response.chain.heldBytes)
  }

  /** Frees the bytes that are stored of both messages. */
  free(pool: BlockPool): void {
    pool.free(this.request.chain)
    if (this.#response !== null) pool.free(this.#response.chain)
  }

  reset(connection: HttpConnection): void {
    this.next = null
    this.connection = connection
    this.method = METHOD_OTHER
    this.rule = 0
    this.contentTypeListed = false
    this.abandoned = false
    this.reason = REASON_TIMEOUT
    this.queued = false
    this.requestOpen = false
    this.requestDone = false
    this.responseOpen = false
    this.responseBegun = false
    this.responseDone = false
    this.early = false
    this.ackFirst = 0
    this.ackLast = 0
    this.headInBody = false
    this.headInBodyAck = 0
    this.contested = false
    this.interimSeq = 0
    this.interimKnown = false
    this.gapBefore = false
    this.gapReason = NO_REASON
    this.ackBeforeGap = 0
    this.ackBeforeGapKnown = false
    this.unconfirmed = false
    this.closes = false
  }
}
