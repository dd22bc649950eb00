/**
 * A TCP connection, and its two streams, as records:
 *
 *     Flow ┬ key, lists, state
 *          ├ Stream 0, from the end that sorts lower (see flow-table.ts) ──rare──▶ Rarities
 *          └ Stream 1, from the other one                                ──rare──▶ Rarities
 *
 * `rare` is 0 while nothing of the stream is held, suspected or in doubt, which is nearly always: so one comparison shows
 * that a segment can only be in order.
 */
import { Time } from '../clock'
import { Region } from '../memory/regions'
import { allocateRecord, freeRecord } from '../memory/slab'

/** Index of a stream in its flow. */
export type Direction = u32

/** What a flow carries, as far as known. */
export const PROTOCOL_UNKNOWN: u8 = 0
export const PROTOCOL_HTTP1: u8 = 1
/** Not HTTP/1: its segments are only watched for the connection's end. */
export const PROTOCOL_OPAQUE: u8 = 2
/** A CONNECT succeeded: what follows is a connection of its own, of any protocol. */
export const PROTOCOL_TUNNEL: u8 = 3

/** `Flow.tunnel`. */
export const TUNNEL_NONE: u8 = 0
export const TUNNEL_SOCKS: u8 = 1
export const TUNNEL_CONNECT: u8 = 2

/** `Flow.client` while it is not known which direction the client sends on. */
export const CLIENT_UNKNOWN: u8 = 2

/** One direction of a flow. Sequence numbers are modulo 2^32. */
@unmanaged
export class Stream {
  /** The next byte to deliver, once `known`. Of an opaque flow: behind the furthest byte captured. */
  nextSeq: i32
  /** First sequence number after the SYN, once `synSeen`; distinguishes a repeated SYN from a new connection's. */
  firstSeq: i32
  /** Where the stream ends, once `finSeen`: the nearest FIN captured, void once bytes beyond it are delivered. */
  finSeq: i32
  /** Highest acknowledgement that the receiver sent for this stream, once `ackedKnown`. */
  acked: i32
  /** Furthest segment start captured: the sender has sent at least up to here. */
  reached: i32
  rare: Rarities | null
  /** A segment of this direction was captured. */
  captured: bool
  known: bool
  synSeen: bool
  finSeen: bool
  /** Its end was delivered; nothing follows. */
  ended: bool
  ackedKnown: bool
}

/** What only some streams need: reused ports, holes, losses, urgent bytes, RSTs that may be stray, a second SYN or FIN. */
@unmanaged
export class Rarities {
  suspectedMicros: f64
  resetMicros: f64
  /** Packet time at which the connection superseded another one on the same ports, once `formerSynSeen`. */
  formerMicros: f64
  /** The stream that they are of. */
  stream: Stream
  /** First sequence number after a different SYN, once `otherSynSeen`. */
  otherFirstSeq: i32
  /** Of the connection that used the same ports before, once `formerSynSeen`: the stream's first sequence number. */
  formerFirstSeq: i32
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
  /** Bytes up to here seem to be lost, since then (see suspicions.ts), once `suspected`; and its neighbours there. */
  suspectedAck: i32
  suspectedSegments: i32
  suspectedBefore: Rarities | null
  suspectedAfter: Rarities | null
  /** Its neighbours among early RSTs (see early-resets.ts). */
  earlyBefore: Rarities | null
  earlyAfter: Rarities | null
  direction: u8
  otherSynSeen: bool
  formerSynSeen: bool
  furtherFinSeen: bool
  resetSeen: bool
  resetEarly: bool
  urgentSeen: bool
  urgentRemoved: bool
  suspected: bool
  earlyListed: bool
}

@unmanaged
export class Flow {
  /** Packet time of its last segment, not before the clock; and when it was last moved to the front of its list. */
  lastMicros: f64
  touchedMicros: f64
  /** The next flow of its bucket. */
  chain: Flow | null
  /** Its neighbours in the list it is in. */
  newer: Flow | null
  older: Flow | null
  /** Other addresses' words; only of IPv6. */
  tail: Tail | null
  /** The hash that chose its bucket. */
  bucket: u32
  /** The key: domain and IP version, ports, first words of both addresses, virtual network, and another one it was seen in. */
  tag: i32
  ports: i32
  addressA: i32
  addressB: i32
  network: i32
  alsoIn: i32
  /** Hash of its addresses and ports: Kafka's partition key. */
  hash: i32
  /** Distinguishes this connection from others that had the same record. */
  serial: i32
  /** Segments processed, modulo 2^32. */
  segments: i32
  /** What its owner keeps for it: address of a record, or 0. */
  http: usize
  /** The pods at its ends as encoded in pairs, as of `namesVersion`, and the endpoints that a PROXY head names; addresses, or 0. */
  clientPod: usize
  serverPod: usize
  proxied: usize
  namesVersion: i32
  interfaceId: u16
  list: u8
  /** Closed: it stays in the table for a while, so that late segments do not look like a new connection. */
  closed: bool
  /** Of a closed flow: an END_ value, and of END_RESET the direction that the RST was sent on. */
  closedBy: u8
  resetDirection: u8
  protocol: u8
  /** Which direction the client sends on, or CLIENT_UNKNOWN. */
  client: u8
  /** From whose side it is seen: a VANTAGE_ value (vantage/vantage.ts). */
  vantage: u8
  /** The rule that leaves out all its pairs: 0, or RULE_VANTAGE. */
  rule: u8
  tunnel: u8
  /** First seen after its handshake. */
  midstream: bool
  /** It continues a connection that a RST had closed, as captured: whoever received the RST ignored it. */
  resumed: bool
  /** Its ends have agreed to sign segments: its first segment, or its SYN+ACK, carries TCP-MD5 or TCP-AO. */
  signed: bool
  /** Bytes of it are lost. */
  lossy: bool
  /** The Host field of its first request decides whether its pairs are kept. */
  hostPending: bool
  /** It may be forwarded traffic: the hop limit of the first packet that its local end sends decides. */
  hopLimitPending: bool
  /** A parser of the host's reads what precedes the protocol. */
  preamble: bool
}

/** The second to fourth words of the addresses of an IPv6 connection. */
@unmanaged
export class Tail {
  a1: i32
  a2: i32
  a3: i32
  b1: i32
  b2: i32
  b3: i32
}

const STREAMS_AT: usize = (offsetof<Flow>() + 7) & ~7
/** A flow with its streams. */
export const FLOW_BYTES: usize = (STREAMS_AT + 2 * offsetof<Stream>() + 7) & ~7
export const RARITIES_BYTES: usize = (offsetof<Rarities>() + 7) & ~7
export const TAIL_BYTES: usize = offsetof<Tail>()

export function streamOf(flow: Flow, direction: Direction): Stream {
  return changetype<Stream>(changetype<usize>(flow) + STREAMS_AT + direction * offsetof<Stream>())
}

/** The flow of a stream with that direction. */
export function flowOf(stream: Stream, direction: Direction): Flow {
  return changetype<Flow>(changetype<usize>(stream) - STREAMS_AT - direction * offsetof<Stream>())
}

/** The stream's rarities, made when first needed. There is room: each stream may have some. */
export function rareOf(stream: Stream, direction: Direction): Rarities {
  const present = stream.rare
  if (present !== null) return present
  const rare = changetype<Rarities>(allocateRecord(Region.rarities))
  rare.stream = stream
  rare.direction = <u8>direction
  stream.rare = rare
  return rare
}

/** A late copy of a connection's SYN follows the next connection's beginning by less than this. */
export const LATE_SYN_MICROS: f64 = 1_000_000

/** Frees the stream's rarities once none of them applies any more. */
export function dropIdleRarities(stream: Stream): void {
  const rare = stream.rare
  if (rare === null) return
  if (rare.formerSynSeen && abs(Time.micros - rare.formerMicros) > LATE_SYN_MICROS) rare.formerSynSeen = false
  const isIdle =
    rare.held === 0 &&
    !(rare.otherSynSeen || rare.furtherFinSeen || rare.resetSeen || rare.urgentSeen || rare.urgentRemoved) &&
    !(rare.suspected || rare.earlyListed || rare.formerSynSeen)
  if (isIdle) freeRarities(stream)
}

/** Frees the stream's rarities, if any. Nothing of them is in a list, and nothing is held. */
export function freeRarities(stream: Stream): void {
  const rare = stream.rare
  if (rare === null) return
  stream.rare = null
  freeRecord(Region.rarities, changetype<usize>(rare))
}

/** The stream's first piece that cannot be delivered yet, or 0. */
export function heldOf(stream: Stream): usize {
  const rare = stream.rare
  return rare === null ? 0 : rare.held
}
