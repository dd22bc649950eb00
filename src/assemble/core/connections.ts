/**
 * Between TCP and HTTP: recognises the protocol of a flow and which side is the client, and passes its bytes, gaps and ends
 * to the HTTP parser. The client is known by the handshake, or else by content, never by which side was captured first.
 *
 *     UNKNOWN ──start line, vantage kept──▶ HTTP1 ──CONNECT succeeds──▶ TUNNEL ──its first bytes──▶ UNKNOWN
 *        │                                    │
 *        └──TLS, HTTP/2, other, left out──────┴──101, left out──▶ OPAQUE: only watched for its end
 *
 * Invariant: HTTP1 has a record (`flow.http`). TUNNEL and OPAQUE may still have it, without a message in progress; UNKNOWN has none.
 */

import * as C from './counters'
import { count } from './counts'
import { forgetEnds } from './encode/ends'
import { freePreamble } from './flow-preambles'
import { HEAD_INVALID } from './head/layout'
import { hostIsLocal, hostJudge, hostOpaque, hostPreamble, KEEP, LEAVE_OUT } from './host'
import {
  Connection,
  endProgress,
  freeConnection,
  MessageStream,
  newConnection,
  requestsOf,
  responsesOf,
} from './http1/connection'
import { beginBoth, resume, seekResponses, startInDoubt } from './http1/doubts'
import { becomeOpaque, endMessages } from './http1/exchanges'
import { beginsMessage, isCutRequest, isMethod, scanHead, startLineEnd } from './http1/head'
import { parseData, parseEnd, parseGap, skipEmptyLines } from './http1/message-parser'
import { forgetOpen, noteOpen } from './http1/open-messages'
import { SEEK } from './http1/stream-states'
import { countOf, interfaceAt } from './interfaces'
import {
  END_EVICTED,
  END_FIN,
  END_IDLE,
  END_INTERFACE_GONE,
  END_RESET,
  END_SUPERSEDED,
  REASON_CLOSED,
  REASON_DOUBTFUL,
  REASON_ENDED,
  REASON_EVICTED,
  REASON_INTERFACE_GONE,
  REASON_RESET,
  REASON_SUPERSEDED,
  REASON_TIMEOUT,
} from './reasons'
import { SNIFF_HTTP2, SNIFF_TLS, sniff } from './sniff'
import {
  CLIENT_UNKNOWN,
  Direction,
  Flow,
  PROTOCOL_HTTP1,
  PROTOCOL_OPAQUE,
  PROTOCOL_TUNNEL,
  PROTOCOL_UNKNOWN,
  streamOf,
  TUNNEL_CONNECT,
} from './tcp/flow'
import { hasDelivered } from './tcp/handshake'

/** In-order bytes [at, end). tcp/owner.ts documents this function and the others whose names begin with `owner`. */
export function ownerData(flow: Flow, direction: Direction, at: usize, end: usize, seq: i32, ack: i32): void {
  if (flow.protocol === PROTOCOL_OPAQUE) return
  if (flow.protocol === PROTOCOL_HTTP1) {
    content(flow, direction, at, end, seq, ack)
    return
  }
  if (flow.protocol === PROTOCOL_TUNNEL) enterTunnel(flow)
  let start = at
  if (flow.preamble || mayBePreamble(flow, at)) {
    start = hostPreamble(flow, direction, at, end, seq, ack)
    if (start === 0) {
      opaque(flow, C.protocolOther, at, end)
      return
    }
  }
  if (start < end) content(flow, direction, start, end, seq + <i32>(start - at), ack)
}

/** Bytes are missing: whether the message in progress survives that depends on where in it they are. */
export function ownerGap(flow: Flow, direction: Direction, bytes: i32): void {
  flow.lossy = true
  if (flow.preamble) losePreamble(flow)
  const stream = messagesOf(flow, direction)
  if (stream === null) return
  parseGap(stream, bytes, streamOf(flow, direction).nextSeq)
  noteOpen(stream)
}

/** The connection is not parsed any further, and its exchanges in progress are `doubtful`. */
export function ownerAmbiguous(flow: Flow): void {
  if (flow.protocol !== PROTOCOL_OPAQUE) opaque(flow, C.protocolOther, 0, 0)
}

/** Completes a response that extends to the end of the connection, and abandons what is incomplete. @param how an END_ value */
export function ownerEnd(flow: Flow, direction: Direction, how: u8): void {
  const stream = messagesOf(flow, direction)
  if (stream === null) return
  const reason = reasonOfEnd(how)
  parseEnd(stream, how === END_FIN, reason, streamOf(flow, direction).nextSeq)
  endMessages(stream, reason)
}

/** Counts the connection on its interface, whose hop limit may have to distinguish it from forwarded ones. */
export function ownerOpened(flow: Flow): void {
  countOf(flow.interfaceId, C.flowsSeen)
  flow.hopLimitPending = interfaceAt(flow.interfaceId).hopLimit > 0
}

/** Leaves the connection out if its local end's packets have passed a router: this host only forwards it. */
export function ownerHopLimit(flow: Flow, direction: Direction, hopLimit: u8): void {
  if (!hostIsLocal(flow, direction)) return
  flow.hopLimitPending = false
  if (<i32>hopLimit < interfaceAt(flow.interfaceId).hopLimit && flow.protocol !== PROTOCOL_OPAQUE) {
    opaque(flow, C.leftOutForwarded, 0, 0)
  }
}

/** Nothing precedes the first messages, so that they can be parsed without a proof. */
export function ownerBegins(flow: Flow): void {
  if (flow.http !== 0) beginBoth(changetype<Connection>(flow.http))
}

/** Whether a request seems to begin at `at`, even if the segment ends within its start line or first field. */
export function ownerBeginsRequest(at: usize, end: usize): bool {
  return (beginsMessage(at, end, false) && isMethod(at, end)) || isCutRequest(at, end)
}

/** Abandons the exchanges of the connection that are left, and frees what the program and the host keep for it. */
export function ownerRelease(flow: Flow): void {
  releaseConnection(flow)
  freePreamble(flow)
  forgetEnds(flow)
}

/** In-order bytes of what the connection carries. */
export function content(flow: Flow, direction: Direction, at: usize, end: usize, seq: i32, ack: i32): void {
  if (flow.http === 0 && !recogniseFlow(flow, direction, at, end)) return
  const connection = changetype<Connection>(flow.http)
  const stream = <u32>flow.client === direction ? requestsOf(connection) : responsesOf(connection)
  parseData(stream, at, end, seq, ack)
  noteOpen(stream)
  if (stream.state === SEEK && !connection.recognised && !flow.lossy && !flow.midstream) {
    opaque(flow, C.protocolOther, at, end)
  }
}

/** After the reply to CONNECT the bytes belong to another connection, between the client and a server behind the proxy. */
function enterTunnel(flow: Flow): void {
  releaseConnection(flow)
  flow.protocol = PROTOCOL_UNKNOWN
  flow.tunnel = TUNNEL_CONNECT
}

/** Whether a stream's first byte may begin a PROXY protocol header or a SOCKS handshake. */
function mayBePreamble(flow: Flow, at: usize): bool {
  const first = load<u8>(at)
  // "P", CR, SOCKS 4 and SOCKS 5.
  if (first !== 80 && first !== 13 && first !== 4 && first !== 5) return false
  return flow.http === 0
}

/** Bytes of what precedes the protocol are missing. */
function losePreamble(flow: Flow): void {
  flow.preamble = false
  freePreamble(flow)
}

/** Recognises what a flow carries by a segment's bytes. @returns whether it is HTTP/1, so that `flow.http` is set */
function recogniseFlow(flow: Flow, direction: Direction, at: usize, end: usize): bool {
  const kind = sniff(at, end)
  if (kind === SNIFF_TLS || kind === SNIFF_HTTP2) {
    opaque(flow, kind === SNIFF_TLS ? C.protocolTls : C.protocolHttp2, at, end)
    return false
  }
  if (flow.lossy || flow.midstream) return recogniseMidstream(flow, direction, at, end)
  // The end that accepted the connection may be the one that sends requests, and after a simultaneous open either is.
  const isClientDecided = <u32>flow.client === direction || hasDelivered(streamOf(flow, 1 - direction))
  if (!isClientDecided && beginsMessage(at, end, false)) flow.client = <u8>direction
  else if (flow.client === CLIENT_UNKNOWN) flow.client = <u8>(isCutRequest(at, end) ? direction : 1 - direction)
  const isResponse = <u32>flow.client !== direction
  const result = scanHead(skipEmptyLines(at, end), end, isResponse)
  if (result === HEAD_INVALID && startLineEnd() === 0) {
    opaque(flow, C.protocolOther, at, end)
    return false
  }
  if (!begin(flow)) return false
  // Responses may precede the first one captured.
  if (!isResponse && !streamOf(flow, 1 - direction).known) seekResponses(changetype<Connection>(flow.http))
  return true
}

/** Midstream, require a complete start line and one header field. */
function recogniseMidstream(flow: Flow, direction: Direction, at: usize, end: usize): bool {
  let client: Direction = flow.client
  if (client === CLIENT_UNKNOWN) {
    if (beginsMessage(at, end, false) || (flow.resumed && isCutRequest(at, end))) client = direction
    else if (beginsMessage(at, end, true)) client = 1 - direction
    else return false
  } else if (!beginsMessage(at, end, direction !== client)) return false
  flow.client = <u8>client
  if (!begin(flow)) return false
  const connection = changetype<Connection>(flow.http)
  const server = streamOf(flow, 1 - client)
  if (flow.resumed) resume(connection, direction === client)
  else startInDoubt(connection, server.synSeen, server.firstSeq)
  return true
}

/** The connection carries HTTP/1. @returns whether its pairs are kept from this vantage */
function begin(flow: Flow): bool {
  if (interfaceAt(flow.interfaceId).hasVantagePoint) {
    const verdict = hostJudge(flow)
    if (verdict !== KEEP) {
      opaque(flow, verdict === LEAVE_OUT ? C.leftOutVantage : C.leftOutForwarded, 0, 0)
      return false
    }
  }
  flow.protocol = PROTOCOL_HTTP1
  flow.http = changetype<usize>(newConnection(flow))
  return true
}

function releaseConnection(flow: Flow): void {
  if (flow.http === 0) return
  const connection = changetype<Connection>(flow.http)
  becomeOpaque(connection, REASON_CLOSED)
  releaseStream(requestsOf(connection))
  releaseStream(responsesOf(connection))
  flow.http = 0
  freeConnection(connection)
}

function releaseStream(stream: MessageStream): void {
  forgetOpen(stream)
  endProgress(stream)
}

/** From here on the flow is only watched for its end. @param counter why, @param at, end the bytes that show it; empty: none do */
function opaque(flow: Flow, counter: usize, at: usize, end: usize): void {
  // What a CONNECT tunnel carries is not counted: the TCP connection was, as HTTP/1 and as a tunnel.
  if (flow.tunnel !== TUNNEL_CONNECT) {
    count(counter)
    countOf(flow.interfaceId, counter)
    if (at < end) hostOpaque(flow, counter, at, end)
  }
  flow.protocol = PROTOCOL_OPAQUE
  if (flow.http !== 0) becomeOpaque(changetype<Connection>(flow.http), REASON_DOUBTFUL)
}

/** The stream of messages of one direction; null: the flow carries none. */
function messagesOf(flow: Flow, direction: Direction): MessageStream | null {
  if (flow.http === 0 || flow.protocol === PROTOCOL_OPAQUE) return null
  const connection = changetype<Connection>(flow.http)
  return <u32>flow.client === direction ? requestsOf(connection) : responsesOf(connection)
}

/** Why messages of an ended stream are abandoned. @param how an END_ value */
function reasonOfEnd(how: u8): i8 {
  if (how === END_FIN) return REASON_CLOSED
  if (how === END_RESET) return REASON_RESET
  if (how === END_IDLE) return REASON_TIMEOUT
  if (how === END_EVICTED) return REASON_EVICTED
  if (how === END_SUPERSEDED) return REASON_SUPERSEDED
  if (how === END_INTERFACE_GONE) return REASON_INTERFACE_GONE
  return REASON_ENDED
}
