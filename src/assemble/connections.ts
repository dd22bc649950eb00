/**
 * Between TCP and HTTP: recognises the protocol of a flow and which side is the client, and passes its bytes, gaps and ends
 * to the HTTP parser. The client is known by the handshake, or else by content, never by which side was captured first.
 */

import { ASSEMBLE_COUNTERS } from '../ledger/counters.ts'
import {
  END_EVICTED,
  END_FIN,
  END_IDLE,
  END_INPUT,
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
} from '../ledger/reasons.ts'
import { HEAD_INVALID } from './head-scanner/layout.ts'
import { HttpConnection, type MessageStream } from './http1/connection.ts'
import { isIdle, isSaved, loadConnection, saveConnection, waitingAt } from './http1/connection-record.ts'
import { NO_EXCHANGE } from './http1/deadlines.ts'
import type { Exchanges } from './http1/exchanges.ts'
import type { MessageHead } from './http1/message-head.ts'
import type { MessageParser } from './http1/message-parser.ts'
import type { OpenMessages } from './http1/open-messages.ts'
import { HEAD_PART, SEEK } from './http1/stream-states.ts'
import { skipEmptyLines } from './http1/text.ts'
import type { InterfaceTraffic } from './interface-traffic.ts'
import type { Arena } from './memory/arena.ts'
import type { BlockPool } from './memory/block-pool.ts'
import type { PacketTime } from './packet-time.ts'
import { Preambles } from './preamble/preambles.ts'
import { SNIFF_HTTP2, SNIFF_TLS, sniff } from './sniff.ts'
import {
  type Direction,
  type Flow,
  PROTOCOL_HTTP1,
  PROTOCOL_OPAQUE,
  PROTOCOL_TUNNEL,
  PROTOCOL_UNKNOWN,
  TUNNEL_CONNECT,
} from './tcp/flow.ts'
import type { FlowOwner } from './tcp/flow-owner.ts'
import type { StreamConsumer } from './tcp/reassembler.ts'
import { seqAdd } from './tcp/seq.ts'
import { KEEP, LEAVE_OUT, type Vantages } from './vantage/vantage.ts'

const C = ASSEMBLE_COUNTERS.index

/** Why messages of an ended stream are abandoned, by END_ value. */
const REASONS: readonly number[] = (() => {
  const reasons: number[] = []
  reasons[END_FIN] = REASON_CLOSED
  reasons[END_RESET] = REASON_RESET
  reasons[END_IDLE] = REASON_TIMEOUT
  reasons[END_EVICTED] = REASON_EVICTED
  reasons[END_SUPERSEDED] = REASON_SUPERSEDED
  reasons[END_INTERFACE_GONE] = REASON_INTERFACE_GONE
  reasons[END_INPUT] = REASON_ENDED
  return reasons
})()

export class Connections implements StreamConsumer, FlowOwner {
  readonly #arena: Arena
  readonly #pool: BlockPool
  readonly #head: MessageHead
  readonly #parser: MessageParser
  readonly #exchanges: Exchanges
  readonly #open: OpenMessages
  readonly #counts: Float64Array
  readonly #vantages: Vantages
  readonly #traffic: InterfaceTraffic
  readonly #preambles: Preambles
  readonly #spare: HttpConnection[] = []
  /** Connections of the active flows that carry HTTP/1, by slot of the flow. */
  readonly #http: (HttpConnection | null)[] = []

  constructor(
    arena: Arena,
    pool: BlockPool,
    head: MessageHead,
    parser: MessageParser,
    exchanges: Exchanges,
    open: OpenMessages,
    counts: Float64Array,
    vantages: Vantages,
    traffic: InterfaceTraffic,
    time: PacketTime,
  ) {
    this.#arena = arena
    this.#pool = pool
    this.#head = head
    this.#parser = parser
    this.#exchanges = exchanges
    this.#open = open
    this.#counts = counts
    this.#vantages = vantages
    this.#traffic = traffic
    this.#preambles = new Preambles(arena, time, (...bytes) => this.#content(...bytes))
  }

  data(flow: Flow, direction: Direction, at: number, end: number, seq: number, ack: number): void {
    if (flow.protocol === PROTOCOL_OPAQUE) return
    if (flow.protocol === PROTOCOL_HTTP1) {
      this.#content(flow, direction, at, end, seq, ack)
      return
    }
    if (flow.protocol === PROTOCOL_TUNNEL) this.#enterTunnel(flow)
    const start = this.#preambles.skip(flow, direction, at, end, seq, ack)
    if (start < 0) this.#becomeOpaque(flow, C.protocolOther, at, end)
    else if (start < end) this.#content(flow, direction, start, end, seqAdd(seq, start - at), ack)
  }

  gap(flow: Flow, direction: Direction, bytes: number): void {
    flow.lossy = true
    this.#preambles.release(flow)
    const stream = this.#streamOf(flow, direction)
    if (stream === null) return
    this.#parser.gap(stream, bytes, flow.streams[direction].nextSeq)
    this.#open.note(stream)
  }

  ambiguous(flow: Flow): void {
    if (flow.protocol !== PROTOCOL_OPAQUE) this.#becomeOpaque(flow, C.protocolOther)
  }

  end(flow: Flow, direction: Direction, how: number): void {
    const stream = this.#streamOf(flow, direction)
    if (stream === null) return
    const reason = REASONS[how]
    this.#parser.end(stream, how === END_FIN, reason, flow.streams[direction].nextSeq)
    this.#exchanges.ended(stream, reason)
  }

  opened(interfaceId: number): void {
    this.#traffic.add(interfaceId, C.flowsSeen)
  }

  checksHopLimit(interfaceId: number): boolean {
    return this.#vantages.hopLimit(interfaceId) > 0
  }

  hopLimit(flow: Flow, direction: Direction, hopLimit: number): void {
    if (!this.#vantages.isLocal(flow, direction)) return
    flow.hopLimitPending = false
    if (hopLimit < this.#vantages.hopLimit(flow.interfaceId) && flow.protocol !== PROTOCOL_OPAQUE)
      this.#becomeOpaque(flow, C.leftOutForwarded)
  }

  begins(flow: Flow): void {
    this.#httpOf(flow)?.begin()
  }

  beginsRequest(at: number, end: number): boolean {
    return (this.#head.begins(at, end, false) && this.#head.isMethod(at, end)) || this.#head.isCutRequest(at, end)
  }

  release(flow: Flow): void {
    this.#preambles.release(flow)
    const http = this.#httpOf(flow)
    if (http === null) return
    this.#exchanges.becomeOpaque(http, REASON_CLOSED)
    this.#putBack(flow, http)
  }

  park(flow: Flow, words: Int32Array, at: number): boolean {
    const http = this.#httpOf(flow)
    if (http !== null && !isIdle(http)) return false
    saveConnection(http, words, at)
    if (http === null) return true
    this.#exchanges.waiting.park(http, flow.index)
    this.#putBack(flow, http)
    return true
  }

  unpark(flow: Flow, words: Int32Array, at: number): void {
    if (!isSaved(words, at)) return
    const http = this.#attach(flow)
    loadConnection(http, words, at)
    const waiting = waitingAt(words, at)
    if (waiting !== NO_EXCHANGE) this.#exchanges.waiting.unpark(http, waiting)
  }

  get crowded(): boolean {
    return this.#exchanges.waiting.crowded
  }

  get longestWaiting(): Flow | null {
    return this.#exchanges.waiting.longestWaiting
  }

  evictOldest(): boolean {
    const { oldest, bytes } = this.#open
    const isSmaller = 2 * bytes < this.#pool.usedBytes
    if ((oldest === null || isSmaller) && this.#exchanges.waiting.evictOldest()) return true
    if (oldest === null) return false
    this.#drop(oldest, REASON_EVICTED)
    return true
  }

  /** Abandons what has waited, or stood still, for too long. */
  expire(): void {
    this.#exchanges.waiting.expire()
    for (let stream = this.#open.overdue; stream !== null; stream = this.#open.overdue) {
      this.#drop(stream, REASON_TIMEOUT)
    }
  }

  /** Frees what a message in progress holds. Its stream stays in its place inside a body, and loses it inside a head. */
  #drop(stream: MessageStream, reason: number): void {
    if (stream.state === HEAD_PART) this.#parser.lose(stream, reason)
    else this.#exchanges.damaged(stream, reason)
    this.#open.note(stream)
  }

  /** In-order bytes of what the connection carries. */
  #content(flow: Flow, direction: Direction, at: number, end: number, seq: number, ack: number): void {
    const http = this.#httpOf(flow) ?? this.#recognise(flow, direction, at, end)
    if (http === null) return
    const stream = direction === flow.clientDirection ? http.requests : http.responses
    this.#parser.data(stream, at, end, seq, ack)
    this.#open.note(stream)
    if (stream.state === SEEK && !http.recognised && !flow.lossy && !flow.midstream)
      this.#becomeOpaque(flow, C.protocolOther, at, end)
  }

  /** From the reply to CONNECT on the connection is another one, between the client and what is behind the proxy. */
  #enterTunnel(flow: Flow): void {
    this.release(flow)
    flow.protocol = PROTOCOL_UNKNOWN
    flow.tunnel = TUNNEL_CONNECT
  }

  /** @returns the connection to parse with; null while it is not recognised as HTTP/1, or because it is another protocol */
  #recognise(flow: Flow, direction: Direction, at: number, end: number): HttpConnection | null {
    const kind = sniff(this.#arena, at, end)
    if (kind === SNIFF_TLS || kind === SNIFF_HTTP2) {
      this.#becomeOpaque(flow, kind === SNIFF_TLS ? C.protocolTls : C.protocolHttp2, at, end)
      return null
    }
    if (flow.lossy || flow.midstream || flow.clientDirection === -1)
      return this.#recogniseMidstream(flow, direction, at, end)
    const isResponse = direction !== flow.clientDirection
    const result = this.#head.scan(skipEmptyLines(this.#arena.bytes, at, end), end, isResponse)
    if (result === HEAD_INVALID && this.#head.startLineEnd === 0) {
      this.#becomeOpaque(flow, C.protocolOther, at, end)
      return null
    }
    const http = this.#begin(flow)
    // Responses may precede the first one captured.
    if (!isResponse && !flow.streams[1 - direction].known) http?.seekResponses()
    return http
  }

  /** Whether the connection's pairs are kept from this vantage. */
  #admits(flow: Flow): boolean {
    const verdict = this.#vantages.judge(flow)
    if (verdict === KEEP) return true
    this.#becomeOpaque(flow, verdict === LEAVE_OUT ? C.leftOutVantage : C.leftOutForwarded)
    return false
  }

  /** Midstream, require a complete start line and one header field. */
  #recogniseMidstream(flow: Flow, direction: Direction, at: number, end: number): HttpConnection | null {
    let client = flow.clientDirection
    if (client === -1) {
      if (this.#head.begins(at, end, false) || (flow.resumed && this.#head.isCutRequest(at, end))) client = direction
      else if (this.#head.begins(at, end, true)) client = (1 - direction) as Direction
      else return null
    } else if (!this.#head.begins(at, end, direction !== client)) return null
    flow.clientDirection = client
    const http = this.#begin(flow)
    if (http === null) return null
    const server = flow.streams[1 - client]
    if (flow.resumed) http.resume(direction === client)
    else http.startInDoubt(server.synSeen, server.firstSeq)
    return http
  }

  #begin(flow: Flow): HttpConnection | null {
    if (!this.#admits(flow)) return null
    flow.protocol = PROTOCOL_HTTP1
    return this.#attach(flow)
  }

  #attach(flow: Flow): HttpConnection {
    const http = this.#spare.pop() ?? new HttpConnection()
    http.open(flow)
    this.#http[flow.slot] = http
    return http
  }

  #putBack(flow: Flow, http: HttpConnection): void {
    this.#open.remove(http.requests)
    this.#open.remove(http.responses)
    // A head may have been cut where the connection became another protocol's.
    http.requests.freePartial(this.#pool)
    http.responses.freePartial(this.#pool)
    http.flow = null
    this.#http[flow.slot] = null
    this.#spare.push(http)
  }

  /** @param at, end the bytes that decided it; empty: none did */
  #becomeOpaque(flow: Flow, counter: number, at = 0, end = 0): void {
    // What a CONNECT tunnel carries is not counted: the TCP connection was, as HTTP/1 and as a tunnel.
    if (flow.tunnel !== TUNNEL_CONNECT) {
      this.#counts[counter]++
      this.#traffic.addOpaque(flow.interfaceId, counter, at, end)
    }
    flow.protocol = PROTOCOL_OPAQUE
    const http = this.#httpOf(flow)
    if (http !== null) this.#exchanges.becomeOpaque(http, REASON_DOUBTFUL)
  }

  #httpOf(flow: Flow): HttpConnection | null {
    return this.#http[flow.slot] ?? null
  }

  #streamOf(flow: Flow, direction: Direction): MessageStream | null {
    const http = this.#httpOf(flow)
    if (http === null || flow.protocol === PROTOCOL_OPAQUE) return null
    return direction === flow.clientDirection ? http.requests : http.responses
  }
}
