/**
 * A TCP connection, and its two streams, as records:
 *
 *     Flow ┬ key, lists, state                                           ┄┄ its place in the table ┄┄▶ Tail, Extras
 *          ├ Stream 0, from the end that sorts lower (see flow-table.ts) ──rare──▶ RareState
 *          └ Stream 1, from the other one                                ──rare──▶ RareState
 *
 * `rare` is 0 while nothing of the stream is ahead, held, suspected or in doubt, which is nearly always: so one comparison shows
 * that a segment can only be in order. Tails and Extras, which few connections use, are tables of their own in the order of the flows:
 * memory is used only for those that are written.
 */
import { Region } from '../memory/regions'
import { seqDiff } from './seq'

/** Index of a stream in its flow. */
export type Direction = u32

/** What a flow carries, as far as known. */
export const PROTOCOL_UNKNOWN: u8 = 0
export const PROTOCOL_HTTP1: u8 = 1
/** Not HTTP/1: its segments are only watched for the connection's end. */
export const PROTOCOL_OPAQUE: u8 = 2
/** A CONNECT succeeded: what follows is a connection of its own, of any protocol. */
export const PROTOCOL_TUNNEL: u8 = 3

/** Values of `Flow.tunnel`. */
export const TUNNEL_NONE: u8 = 0
export const TUNNEL_SOCKS: u8 = 1
export const TUNNEL_CONNECT: u8 = 2

/** `Flow.client` while it is not known which direction the client sends on. */
export const CLIENT_UNKNOWN: u8 = 2

/** Bits of `Stream.flags`. */
const CAPTURED: u8 = 1 << 0
const KNOWN: u8 = 1 << 1
const SYN_SEEN: u8 = 1 << 2
const BEYOND_FIRST: u8 = 1 << 3
const ENDED: u8 = 1 << 4
const ACKED_KNOWN: u8 = 1 << 5

/** One direction of a flow. Sequence numbers are modulo 2^32. */
@unmanaged
export class Stream {
  /** The next byte to deliver, once `known`. Of an opaque flow: behind the furthest byte captured. */
  nextSeq: i32
  /**
   * First sequence number after the SYN, once `synSeen`; distinguishes a repeated SYN from a new connection's. Until then where
   * the first segment captured starts, once `known`.
   */
  firstSeq: i32
  /** Highest acknowledgement that the receiver sent for this stream, once `ackedKnown`. */
  acked: i32
  rare: RareState | null
  flags: u8
  /** A segment of this direction was captured. */
  get captured(): bool {
    return (this.flags & CAPTURED) !== 0
  }
  set captured(is: bool) {
    this.flags = is ? this.flags | CAPTURED : this.flags & ~CAPTURED
  }
  get known(): bool {
    return (this.flags & KNOWN) !== 0
  }
  set known(is: bool) {
    this.flags = is ? this.flags | KNOWN : this.flags & ~KNOWN
  }
  get synSeen(): bool {
    return (this.flags & SYN_SEEN) !== 0
  }
  set synSeen(is: bool) {
    this.flags = is ? this.flags | SYN_SEEN : this.flags & ~SYN_SEEN
  }
  /** A segment was captured that starts behind `firstSeq`. */
  get beyondFirst(): bool {
    return (this.flags & BEYOND_FIRST) !== 0
  }
  set beyondFirst(is: bool) {
    this.flags = is ? this.flags | BEYOND_FIRST : this.flags & ~BEYOND_FIRST
  }
  /** The end of the stream was delivered; nothing follows. */
  get ended(): bool {
    return (this.flags & ENDED) !== 0
  }
  set ended(is: bool) {
    this.flags = is ? this.flags | ENDED : this.flags & ~ENDED
  }
  get ackedKnown(): bool {
    return (this.flags & ACKED_KNOWN) !== 0
  }
  set ackedKnown(is: bool) {
    this.flags = is ? this.flags | ACKED_KNOWN : this.flags & ~ACKED_KNOWN
  }
}

/**
 * What only some streams need: reused ports, holes, losses, urgent bytes, RSTs that may be stray, a FIN ahead, a second SYN.
 * rare-state.ts makes and frees these records.
 */
@unmanaged
export class RareState {
  suspectedMicros: f64
  resetMicros: f64
  /** Packet time at which the connection superseded another one on the same ports, once `formerSynSeen`. */
  formerMicros: f64
  /** The stream that they are of. */
  stream: Stream
  /** First sequence number after a different SYN, once `otherSynSeen`. */
  otherFirstSeq: i32
  /** First and next sequence number of the former connection on the same ports; valid once `formerSynSeen`. */
  formerFirstSeq: i32
  formerNextSeq: i32
  /** Furthest segment start captured, once `reachedSeen`: the sender has sent at least up to here. Counts while ahead of `nextSeq`. */
  reached: i32
  /** Where the stream ends, once `finSeen`: the nearest FIN captured, void once bytes beyond it or the end are delivered. */
  finSeq: i32
  /** Another FIN, further ahead, once `furtherFinSeen`. */
  furtherFinSeq: i32
  /**
   * A RST, once `resetSeen`, and its packet time: its receiver obeyed it only if bytes before it were not captured, or it was
   * captured before bytes that its receiver had or had sent (`resetEarly`).
   */
  resetSeq: i32
  resetAck: i32
  /** Sequence number of the urgent byte ahead, once `urgentSeen`. */
  urgentSeq: i32
  /** The peer's next byte when an urgent one was removed, once `urgentRemoved`. */
  urgentPeerSeq: i32
  /** The first piece of what cannot be delivered yet, the root of the tree of pieces, and how much they are (see held-pieces.ts). */
  held: usize
  heldRoot: usize
  heldPieces: i32
  heldBytes: i32
  /** End of the furthest byte that was ever held. */
  heldEnd: i32
  /** Bytes up to `suspectedAck` seem to be lost; valid once `suspected`. Neighbours in the list of suspicions (suspicions.ts). */
  suspectedAck: i32
  suspectedSegments: i32
  suspectedOlder: RareState | null
  suspectedNewer: RareState | null
  /** Neighbours in the list of early RSTs (see early-resets.ts). */
  earlyOlder: RareState | null
  earlyNewer: RareState | null
  /** Neighbours in the list that holds this record, and which list that is (see rare-state.ts). */
  older: RareState | null
  newer: RareState | null
  list: u8
  direction: u8
  otherSynSeen: bool
  formerSynSeen: bool
  reachedSeen: bool
  finSeen: bool
  furtherFinSeen: bool
  resetSeen: bool
  resetEarly: bool
  urgentSeen: bool
  urgentRemoved: bool
  suspected: bool
  earlyListed: bool
}

/** Bits of `Flow.flags`. */
const CLOSED: u16 = 1 << 0
const MIDSTREAM: u16 = 1 << 1
const RESUMED: u16 = 1 << 2
const SIGNED: u16 = 1 << 3
const LOSSY: u16 = 1 << 4
const HOST_PENDING: u16 = 1 << 5
const HOP_LIMIT_PENDING: u16 = 1 << 6
const PREAMBLE: u16 = 1 << 7
const PROXIED: u16 = 1 << 8
const JOINED: u16 = 1 << 9
const PREAMBLE_STORED: u16 = 1 << 10

/** Bits of `Flow.life`. */
const LIST: u8 = 3
const CLOSED_BY: u8 = 7 << 2
const CLOSED_BY_SHIFT: u8 = 2
const RESET: u8 = 1 << 5
const RESET_SHIFT: u8 = 5
/** Bits of `Flow.view`. */
const VANTAGE: u8 = 3
const RULE: u8 = 15 << 2
const RULE_SHIFT: u8 = 2
const TUNNEL: u8 = 3 << 6
const TUNNEL_SHIFT: u8 = 6

/** A connection. Its streams lie behind these fields (`streamOf`). */
@unmanaged
export class Flow {
  /** Packet time of its last segment, not before the clock. */
  lastMicros: f64
  /** The next flow of its bucket. */
  chain: Flow | null
  /** Neighbours in the list that holds the flow (see flow-lists.ts). */
  older: Flow | null
  newer: Flow | null
  /** The key: domain and IP version, ports, first words of both addresses, virtual network. */
  tag: u32
  ports: u32
  addressA: u32
  addressB: u32
  network: i32
  /** Hash of its addresses and ports: Kafka's partition key. */
  hash: i32
  /** Segments processed, modulo 2^32. */
  segments: i32
  /** Address of the Connection record of a flow that carries HTTP/1, or 0. */
  http: usize
  /** The pods at its ends as encoded in pairs, as of `namesVersion`: addresses, or 0. */
  clientPod: usize
  serverPod: usize
  namesVersion: i32
  interfaceId: u16
  flags: u16
  /** Bits LIST, CLOSED_BY and RESET: the list that holds the flow; how a closed flow ended. */
  life: u8
  protocol: u8
  /** Which direction the client sends on, or CLIENT_UNKNOWN. */
  client: u8
  /** Bits VANTAGE, RULE and TUNNEL: from where the flow is seen, and what its pairs share. */
  view: u8
  get list(): u8 {
    return this.life & LIST
  }
  set list(list: u8) {
    this.life = (this.life & ~LIST) | list
  }
  /** How a closed flow ended: an END_ value. */
  get closedBy(): u8 {
    return (this.life & CLOSED_BY) >> CLOSED_BY_SHIFT
  }
  set closedBy(how: u8) {
    this.life = (this.life & ~CLOSED_BY) | (how << CLOSED_BY_SHIFT)
  }
  /** The direction that the RST was sent on, of a flow closed by END_RESET. */
  get resetDirection(): u8 {
    return this.life >> RESET_SHIFT
  }
  set resetDirection(direction: u8) {
    this.life = (this.life & ~RESET) | (direction << RESET_SHIFT)
  }
  /** From whose side the flow is seen: a VANTAGE_ value (vantage/vantage.ts). */
  get vantage(): u8 {
    return this.view & VANTAGE
  }
  set vantage(vantage: u8) {
    this.view = (this.view & ~VANTAGE) | vantage
  }
  /** The rule that leaves out all its pairs: 0, or RULE_VANTAGE. */
  get rule(): u8 {
    return (this.view & RULE) >> RULE_SHIFT
  }
  set rule(rule: u8) {
    this.view = (this.view & ~RULE) | (rule << RULE_SHIFT)
  }
  get tunnel(): u8 {
    return this.view >> TUNNEL_SHIFT
  }
  set tunnel(tunnel: u8) {
    this.view = (this.view & ~TUNNEL) | (tunnel << TUNNEL_SHIFT)
  }
  /** Closed: it stays in the table for a while, so that late segments do not look like a new connection. */
  get closed(): bool {
    return (this.flags & CLOSED) !== 0
  }
  set closed(is: bool) {
    this.flags = is ? this.flags | CLOSED : this.flags & ~CLOSED
  }
  /** First seen after its handshake. */
  get midstream(): bool {
    return (this.flags & MIDSTREAM) !== 0
  }
  set midstream(is: bool) {
    this.flags = is ? this.flags | MIDSTREAM : this.flags & ~MIDSTREAM
  }
  /** It continues a connection that a RST had closed, as captured: the receiver of the RST ignored it. */
  get resumed(): bool {
    return (this.flags & RESUMED) !== 0
  }
  set resumed(is: bool) {
    this.flags = is ? this.flags | RESUMED : this.flags & ~RESUMED
  }
  /** Its ends have agreed to sign segments: its first segment, or its SYN+ACK, carries TCP-MD5 or TCP-AO. */
  get signed(): bool {
    return (this.flags & SIGNED) !== 0
  }
  set signed(is: bool) {
    this.flags = is ? this.flags | SIGNED : this.flags & ~SIGNED
  }
  /** Bytes of it are lost. */
  get lossy(): bool {
    return (this.flags & LOSSY) !== 0
  }
  set lossy(is: bool) {
    this.flags = is ? this.flags | LOSSY : this.flags & ~LOSSY
  }
  /** The Host field of its first request decides whether its pairs are kept. */
  get hostPending(): bool {
    return (this.flags & HOST_PENDING) !== 0
  }
  set hostPending(is: bool) {
    this.flags = is ? this.flags | HOST_PENDING : this.flags & ~HOST_PENDING
  }
  /** It may be forwarded traffic: the hop limit of the first packet that its local end sends decides. */
  get hopLimitPending(): bool {
    return (this.flags & HOP_LIMIT_PENDING) !== 0
  }
  set hopLimitPending(is: bool) {
    this.flags = is ? this.flags | HOP_LIMIT_PENDING : this.flags & ~HOP_LIMIT_PENDING
  }
  /** A parser of the host's reads what precedes the protocol; a cell holds its state (flow-preambles.ts). */
  get preamble(): bool {
    return (this.flags & PREAMBLE) !== 0
  }
  set preamble(is: bool) {
    this.flags = is ? this.flags | PREAMBLE : this.flags & ~PREAMBLE
  }
  /** A PROXY head has named its endpoints, which a cell holds. */
  get proxied(): bool {
    return (this.flags & PROXIED) !== 0
  }
  set proxied(is: bool) {
    this.flags = is ? this.flags | PROXIED : this.flags & ~PROXIED
  }
  /** It was captured in a second virtual network as well, `Extras.alsoIn`. */
  get joined(): bool {
    return (this.flags & JOINED) !== 0
  }
  set joined(is: bool) {
    this.flags = is ? this.flags | JOINED : this.flags & ~JOINED
  }
  /** There is a cell with what precedes the protocol, `Extras.preambleCell`. */
  get preambleStored(): bool {
    return (this.flags & PREAMBLE_STORED) !== 0
  }
  set preambleStored(is: bool) {
    this.flags = is ? this.flags | PREAMBLE_STORED : this.flags & ~PREAMBLE_STORED
  }
}

/** The second to fourth words of the addresses of an IPv6 connection. */
@unmanaged
export class Tail {
  a1: u32
  a2: u32
  a3: u32
  b1: u32
  b2: u32
  b3: u32
}

/**
 * What only some connections need. What it held for another connection stays until it is overwritten: flags of the flow show which
 * fields are valid.
 */
@unmanaged
export class Extras {
  /** The other virtual network in which the connection was captured, once `joined`. */
  alsoIn: i32
  /** The cell, once `preambleStored`. */
  preambleCell: usize
}

const STREAMS_AT: usize = (offsetof<Flow>() + 3) & ~3
const STREAM_BYTES: usize = (offsetof<Stream>() + 3) & ~3
/** A flow with its streams. */
export const FLOW_BYTES: usize = STREAMS_AT + 2 * STREAM_BYTES
export const RARE_STATE_BYTES: usize = (offsetof<RareState>() + 7) & ~7
export const TAIL_BYTES: usize = offsetof<Tail>()
export const EXTRAS_BYTES: usize = offsetof<Extras>()

/** The place of a flow in the table. */
export function indexOf(flow: Flow): u32 {
  return <u32>(changetype<usize>(flow) - Region.firstFlow) / <u32>FLOW_BYTES
}

/** The further words of a flow's addresses; only of IPv6. */
export function tailOf(flow: Flow): Tail {
  return changetype<Tail>(Region.tails + <usize>indexOf(flow) * TAIL_BYTES)
}

/** What only some flows need; their flags show which fields are valid. */
export function extrasOf(flow: Flow): Extras {
  return changetype<Extras>(Region.extras + <usize>indexOf(flow) * EXTRAS_BYTES)
}

/** The stream of a flow with that direction. */
export function streamOf(flow: Flow, direction: Direction): Stream {
  return changetype<Stream>(changetype<usize>(flow) + STREAMS_AT + <usize>direction * STREAM_BYTES)
}

/** The flow of a stream with that direction. */
export function flowOf(stream: Stream, direction: Direction): Flow {
  return changetype<Flow>(changetype<usize>(stream) - STREAMS_AT - <usize>direction * STREAM_BYTES)
}

/** The stream's first piece that cannot be delivered yet, or 0. */
export function heldOf(stream: Stream): usize {
  const rare = stream.rare
  return rare === null ? 0 : rare.held
}

/** How far the furthest segment start captured lies ahead of the next byte: below 0 or 0, it does not. */
export function reachedAhead(stream: Stream): i32 {
  const rare = stream.rare
  return rare === null || !rare.reachedSeen ? 0 : seqDiff(stream.nextSeq, rare.reached)
}
