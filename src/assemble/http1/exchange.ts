import { NO_REASON, REASON_TIMEOUT } from '../../ledger/reasons.ts'
import { METHOD_OTHER } from '../head-scanner/layout.ts'
import { Chain } from '../memory/block-pool.ts'
import type { HttpConnection } from './connection.ts'

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
  next: Exchange | null = null
  connection: HttpConnection | null = null
  readonly request = new MessageRecord()
  readonly response = new MessageRecord()
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
  /** Links of the deadline list, in the order in which waiting began. */
  listed = false
  sooner: Exchange | null = null
  later: Exchange | null = null
  listedMicros = 0

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
  }
}
