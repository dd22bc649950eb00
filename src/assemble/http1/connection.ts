import { NO_REASON, REASON_GAP } from '../../ledger/reasons.ts'
import type { Flow, Stream } from '../tcp/flow.ts'
import { seqDiff } from '../tcp/seq.ts'
import type { Exchange } from './exchange.ts'
import { MessageStream, SEEK } from './message-stream.ts'

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
  /** The client has sent a request before the answer to the previous one: sequence numbers prove nothing then. */
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
    this.pipelining = false
    this.confirming = null
    this.contested = null
    this.recognised = false
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
    this.responses.state = SEEK
    this.doubtResponses(NO_REASON)
    this.requestDoubt = true
    this.requestDoubtReason = fromStart ? REASON_GAP : NO_REASON
    this.ackBeforeGap = serverSeq
    this.ackBeforeGapKnown = fromStart
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
