/**
 * A TCP connection as the assembler sees it. Objects are pooled: one per connection, none per segment.
 */

import type { HttpConnection } from '../http1/connection.ts'
import { Chain } from '../memory/block-pool.ts'

/** Index of a stream in its flow: the endpoint that sorts lower sends on stream 0 (see FlowTable). */
export type Direction = 0 | 1

/** Life of a flow. A closed one stays for a while, so that stray segments do not look like a new connection. */
export const FLOW_OPEN = 0
export const FLOW_CLOSED = 1

/** What a flow carries, as far as known. */
export const PROTOCOL_UNKNOWN = 0
export const PROTOCOL_HTTP1 = 1
/** Not HTTP/1: its segments are only watched for the connection's end. */
export const PROTOCOL_OPAQUE = 2

/** A segment that waits behind a hole, or for the peer's bytes it answers. */
export class HeldSegment {
  next: HeldSegment | null = null
  seq = 0
  ack = 0
  micros = 0
  readonly chain = new Chain()
}

/** One direction of a flow. */
export class Stream {
  /** The next byte to deliver, once `known`. */
  nextSeq = 0
  known = false
  /** First sequence number after the SYN, once `synSeen`; tells a repeated SYN from a new connection's. */
  firstSeq = 0
  synSeen = false
  /** First sequence number after another SYN, once `rivalKnown`: an answer the peer may take instead, or a new connection's. */
  rivalSeq = 0
  rivalKnown = false
  finSeen = false
  finSeq = 0
  /** The end was delivered; nothing follows. */
  ended = false
  /** Highest acknowledgement the receiver sent for this stream, once `ackedKnown`. */
  acked = 0
  ackedKnown = false
  /** Segments that cannot be delivered yet, in sequence order, without overlaps. */
  held: HeldSegment | null = null
  heldBytes = 0
  /** Furthest segment start seen: the sender has gone at least so far. */
  reached = 0

  reset(): void {
    this.nextSeq = 0
    this.known = false
    this.firstSeq = 0
    this.synSeen = false
    this.rivalSeq = 0
    this.rivalKnown = false
    this.finSeen = false
    this.finSeq = 0
    this.ended = false
    this.acked = 0
    this.ackedKnown = false
    this.held = null
    this.heldBytes = 0
    this.reached = 0
  }
}

export class Flow {
  readonly index: number
  readonly streams: readonly [Stream, Stream] = [new Stream(), new Stream()]
  hash = 0
  state = FLOW_OPEN
  protocol = PROTOCOL_UNKNOWN
  /** Which direction the client sends on, or -1 while unknown. */
  clientDirection: Direction | -1 = -1
  /** Seen first after its handshake. */
  midstream = false
  /** Bytes of it are lost. */
  lossy = false
  interfaceId = 0
  /** Tells this connection from others that the object served. */
  serial = 0
  /** From whose side it is seen: a VANTAGE_ value (vantage/vantage.ts). */
  vantage = 0
  /** The Host field of its first request decides whether its pairs are kept. */
  hostPending = false
  /** The rule that leaves out all its pairs: 0, or RULE_VANTAGE. */
  rule = 0
  /** It may be forwarded traffic: the hop limit of the first packet that its local end sends decides. */
  hopLimitPending = false
  /** The pods at its ends as encoded in pairs, as of `namesVersion`. */
  clientPod: Uint8Array | null = null
  serverPod: Uint8Array | null = null
  namesVersion = 0
  /** Packet time of the last segment, not before the clock. */
  lastMicros = 0
  http: HttpConnection | null = null
  /** Recency list, most recent first; `touchedMicros` is when the flow was last moved to its front. */
  newer: Flow | null = null
  older: Flow | null = null
  touchedMicros = 0

  constructor(index: number) {
    this.index = index
  }

  /** Makes the object ready for a new connection. */
  open(hash: number, interfaceId: number, micros: number, serial: number): void {
    this.hash = hash
    this.serial = serial
    this.vantage = 0
    this.hostPending = false
    this.rule = 0
    this.hopLimitPending = false
    this.clientPod = null
    this.serverPod = null
    this.namesVersion = 0
    this.state = FLOW_OPEN
    this.protocol = PROTOCOL_UNKNOWN
    this.clientDirection = -1
    this.midstream = false
    this.lossy = false
    this.interfaceId = interfaceId
    this.lastMicros = micros
    this.touchedMicros = micros
    this.http = null
    this.streams[0].reset()
    this.streams[1].reset()
  }
}
