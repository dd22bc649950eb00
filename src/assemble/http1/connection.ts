import type { Flow } from '../tcp/flow.ts'
import { seqDiff } from '../tcp/seq.ts'
import type { Exchange } from './exchange.ts'
import { MessageStream, SEEK } from './message-stream.ts'

/** A flow that speaks HTTP/1: two message streams and the requests that wait for their responses. Pooled. */
export class HttpConnection {
  flow: Flow | null = null
  readonly requests: MessageStream = new MessageStream(this, false)
  readonly responses: MessageStream = new MessageStream(this, true)
  /** Requests in order, answered ones excluded. Abandoned ones stay to consume their responses. */
  first: Exchange | null = null
  last: Exchange | null = null
  queued = 0
  /** After a loss among the responses it is unknown which request the next one answers. */
  responseDoubt = false
  /** After a loss among the requests the next one follows an unknown number of others. */
  requestDoubt = false
  /** Up to where the client had been answered before those, once `ackBeforeGapKnown`. */
  ackBeforeGap = 0
  ackBeforeGapKnown = false
  /** What the server had received when its last final response ended, once `answeredKnown`. */
  answeredAck = 0
  answeredKnown = false
  /** The client has sent a request before the answer to the one before: sequence numbers prove nothing then. */
  pipelining = false
  /** A pair matched by sequence numbers that the client's next move confirms or refutes. */
  confirming: Exchange | null = null
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
    this.requestDoubt = false
    this.ackBeforeGap = 0
    this.ackBeforeGapKnown = false
    this.answeredAck = 0
    this.answeredKnown = false
    this.pipelining = false
    this.confirming = null
    this.recognised = false
  }

  /** A final response has ended, in a segment with this acknowledgement number. */
  answered(ack: number): void {
    this.answeredAck = ack
    this.answeredKnown = true
  }

  /**
   * The requests before this point were not seen.
   *
   * @param fromStart they begin with the connection, when the client had received up to `serverSeq`
   */
  startInDoubt(fromStart: boolean, serverSeq: number): void {
    this.requests.state = SEEK
    this.responses.state = SEEK
    this.responseDoubt = true
    this.requestDoubt = true
    this.ackBeforeGap = serverSeq
    this.ackBeforeGapKnown = fromStart
  }

  /**
   * Requests of unknown number are missing here.
   *
   * @param lastAck what the client had acknowledged before, if `ackKnown`; more may have been answered by now
   */
  doubtRequests(lastAck: number, ackKnown: boolean): void {
    const flow = this.flow as Flow
    const answers = flow.streams[flow.clientDirection === 0 ? 1 : 0]
    const more = answers.known && (!ackKnown || seqDiff(lastAck, answers.nextSeq) > 0)
    this.requestDoubt = true
    this.ackBeforeGap = more ? answers.nextSeq : lastAck
    this.ackBeforeGapKnown = ackKnown || answers.known
  }
}
