/** A TCP connection as the assembler follows it while it is active. Objects are pooled (see ActiveFlows). */

import { END_FIN } from '../../ledger/reasons.ts'
import type { ProxyHead } from '../preamble/proxy-head.ts'
import type { SocksHandshake } from '../preamble/socks-handshake.ts'

/** Index of a stream in its flow: the endpoint that sorts lower sends on stream 0 (see FlowTable). */
export type Direction = 0 | 1

/** `Flow.state`. A closed flow stays in the table for a while, so that late segments do not look like a new connection. */
export const FLOW_OPEN = 0
export const FLOW_CLOSED = 1

/** `Flow.protocol`: what a flow carries, as far as known. */
export const PROTOCOL_UNKNOWN = 0
export const PROTOCOL_HTTP1 = 1
/** Not HTTP/1: its segments are only watched for the connection's end. */
export const PROTOCOL_OPAQUE = 2
/** A CONNECT succeeded: what follows is a connection of its own, of any protocol. */
export const PROTOCOL_TUNNEL = 3

/** `Flow.tunnel`. */
export const TUNNEL_NONE = 0
export const TUNNEL_SOCKS = 1
export const TUNNEL_CONNECT = 2

/** What only some streams need: reused ports, holes, losses, urgent bytes, RSTs that may be stray, a second SYN or FIN. */
class Rarities {
  /** First sequence number after a different SYN, once `otherSynSeen`. */
  otherFirstSeq = 0
  /** Of the connection that used the same ports before, once `Flow.reusedMicros` is set: the stream's first sequence number. */
  formerFirstSeq = 0
  formerSynSeen = false
  /** Another FIN, further ahead, once `furtherFinSeen`. */
  furtherFinSeq = 0
  /**
   * A RST, once `resetSeen`, and its packet time: its receiver obeyed it only if bytes before it were not captured, or it was
   * captured before bytes that its receiver had or had sent (`resetEarly`).
   */
  resetSeq = 0
  resetMicros = 0
  resetAck = 0
  /** Sequence number of the urgent byte ahead, once `urgentSeen`. */
  urgentSeq = 0
  /** The peer's next byte when an urgent one was removed, once `urgentRemoved`. */
  urgentPeerSeq = 0
  /** The root of the tree of pieces, and how much they are. */
  heldRoot = 0
  heldPieces = 0
  heldBytes = 0
  /** End of the furthest byte that was ever held. */
  heldEnd = 0
  /** Bytes up to here seem to be lost, since then (see Suspicions), once `suspected`. */
  suspectedAck = 0
  suspectedMicros = 0
  suspectedSegments = 0
  suspectedBefore: Stream | null = null
  suspectedAfter: Stream | null = null
}

/** One direction of a flow. Sequence numbers are int32. */
export class Stream {
  /** Index of the flow times two, plus the direction. */
  owner = 0
  /** A segment of this direction was captured. */
  captured = false
  /** The next byte to deliver, once `known`. Of an opaque flow: behind the furthest byte captured. */
  nextSeq = 0
  known = false
  /** First sequence number after the SYN, once `synSeen`; distinguishes a repeated SYN from a new connection's. */
  firstSeq = 0
  synSeen = false
  /** Another SYN was captured: a new connection's, or the SYN+ACK of two that the client may accept. */
  otherSynSeen = false
  /** Where the stream ends, once `finSeen`: the nearest FIN captured, void once bytes beyond it are delivered. */
  finSeen = false
  finSeq = 0
  furtherFinSeen = false
  /** Its end was delivered; nothing follows. */
  ended = false
  /** Highest acknowledgement that the receiver sent for this stream, once `ackedKnown`. */
  acked = 0
  ackedKnown = false
  resetSeen = false
  resetEarly = false
  /** An urgent byte lies ahead, or was removed. */
  urgentSeen = false
  urgentRemoved = false
  /** The first piece of what cannot be delivered yet (see HeldPieces), or 0. */
  held = 0
  /** Furthest segment start captured: the sender has sent at least up to here. */
  reached = 0
  suspected = false
  #rare: Rarities | null = null

  /** Made when first needed. */
  get rare(): Rarities {
    this.#rare ??= new Rarities()
    return this.#rare
  }

  /** Nothing may be held, or suspected. */
  reset(): void {
    this.captured = false
    this.nextSeq = 0
    this.known = false
    this.firstSeq = 0
    this.synSeen = false
    this.otherSynSeen = false
    this.finSeen = false
    this.finSeq = 0
    this.furtherFinSeen = false
    this.ended = false
    this.acked = 0
    this.ackedKnown = false
    this.resetSeen = false
    this.resetEarly = false
    this.urgentSeen = false
    this.urgentRemoved = false
    this.reached = 0
  }
}

export class Flow {
  /** The object's own number: what is kept for it elsewhere. */
  readonly slot: number
  /** The connection's number (see FlowTable). */
  index = -1
  readonly streams: readonly [Stream, Stream] = [new Stream(), new Stream()]
  /** Used since ActiveFlows last looked at it. */
  recent = false
  hash = 0
  state = FLOW_OPEN
  /** Of a closed flow: an END_ value, and of END_RESET the direction that the RST was sent on. */
  closedBy = END_FIN
  resetDirection: Direction = 0
  protocol = PROTOCOL_UNKNOWN
  /** Which direction the client sends on, or -1 while unknown. */
  clientDirection: Direction | -1 = -1
  /** First seen after its handshake. */
  midstream = false
  /** It continues a connection that a RST had closed, as captured: whoever received the RST ignored it. */
  resumed = false
  /** Packet time at which it superseded another connection on the same ports; 0: of which nothing is known. */
  reusedMicros = 0
  /** Its ends have agreed to sign segments: its first segment, or its SYN+ACK, carries TCP-MD5 or TCP-AO. */
  signed = false
  /** Bytes of it are lost. */
  lossy = false
  interfaceId = 0
  /** Distinguishes this connection from others that had the same index. */
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
  /** Segments processed, modulo 2^32. */
  segments = 0
  /** Parses what precedes the protocol, while that is incomplete. */
  preamble: ProxyHead | SocksHandshake | null = null
  /** The real client and the address it connected to, as the load balancer in front names them, encoded for pairs. */
  proxied: Uint8Array | null = null
  /** The tunnel through which its HTTP was exchanged, a TUNNEL_ value. */
  tunnel = TUNNEL_NONE

  constructor(slot: number) {
    this.slot = slot
  }

  /** Uses the object for another connection. */
  assign(index: number): void {
    this.index = index
    this.streams[0].owner = 2 * index
    this.streams[1].owner = 2 * index + 1
  }

  /** Prepares the object for a new connection. */
  open(hash: number, interfaceId: number, serial: number): void {
    this.hash = hash
    this.state = FLOW_OPEN
    this.closedBy = END_FIN
    this.resetDirection = 0
    this.protocol = PROTOCOL_UNKNOWN
    this.clientDirection = -1
    this.midstream = false
    this.resumed = false
    this.reusedMicros = 0
    this.signed = false
    this.lossy = false
    this.interfaceId = interfaceId
    this.serial = serial
    this.vantage = 0
    this.hostPending = false
    this.rule = 0
    this.hopLimitPending = false
    this.clientPod = null
    this.serverPod = null
    this.namesVersion = 0
    this.segments = 0
    this.preamble = null
    this.proxied = null
    this.tunnel = TUNNEL_NONE
    this.recent = true
    this.streams[0].reset()
    this.streams[1].reset()
  }
}
