import { METHOD_OTHER } from '../head-scanner/layout.ts'
import { Chain } from '../memory/block-pool.ts'
import type { HttpConnection } from './connection.ts'

/** One half of an exchange: what the pair needs of it, and its encoded bytes where they are kept. */
export class MessageRecord {
  /** The message's map up to and with its body, as `MessageWriter` lays it; empty when not kept. */
  readonly chain = new Chain()
  startMicros = 0
  endMicros = 0
  /** Sequence numbers of the first byte, and of the byte after the last. */
  startSeq = 0
  endSeq = 0
  /** Its half of the pair's id. */
  digest1 = 0
  digest2 = 0
  wireBytes = 0
  bodyBytes = 0
  /** ANOMALY_ bits. */
  anomalies = 0
}

/**
 * A request and the response it gets. Pooled; it goes back to the pool once neither the queue, nor a stream, nor a
 * pending confirmation refers to it.
 */
export class Exchange {
  next: Exchange | null = null
  connection: HttpConnection | null = null
  readonly request = new MessageRecord()
  readonly response = new MessageRecord()
  method = METHOD_OTHER
  /** The rule that leaves the pair out, RULE_NONE while none does. */
  rule = 0
  contentTypeListed = false
  /** Given up: counted already, it only consumes its response. */
  abandoned = false
  /** Why, a REASON_ value. */
  reason = 0
  queued = false
  requestOpen = false
  requestDone = false
  responseOpen = false
  responseBegun = false
  responseDone = false
  /** The response began before the request had ended. */
  early = false
  /** Acknowledgement numbers of the segments with the request's first and last byte: where the response may begin. */
  ackFirst = 0
  ackLast = 0
  /** Unknown requests may lie between the one before and this one. */
  gapBefore = false
  /** Up to where the client had been answered before that gap, once `ackBeforeGapKnown`. */
  ackBeforeGap = 0
  ackBeforeGapKnown = false
  /** Matched by sequence numbers after a loss; waits for the client's next move to confirm it. */
  unconfirmed = false
  /** Deadline list, in order of the time waiting began. */
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
    this.reason = 0
    this.queued = false
    this.requestOpen = false
    this.requestDone = false
    this.responseOpen = false
    this.responseBegun = false
    this.responseDone = false
    this.early = false
    this.ackFirst = 0
    this.ackLast = 0
    this.gapBefore = false
    this.ackBeforeGap = 0
    this.ackBeforeGapKnown = false
    this.unconfirmed = false
  }
}
