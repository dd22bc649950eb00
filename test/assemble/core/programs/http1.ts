/**
 * Parts of the HTTP half as a separate program for tests. Streams and exchanges are addresses of records that belong to
 * no flow.
 */
import { Time } from '../../../../src/assemble/core/clock'
import { expectChunked, MALFORMED, readChunkFraming, SECTION_BYTES } from '../../../../src/assemble/core/http1/chunked'
import {
  beginProgress,
  beginResponse,
  CONNECTION_BYTES,
  Connection,
  DOUBTS_BYTES,
  EXCHANGE_BYTES,
  Exchange,
  MESSAGE_BYTES,
  MessageStream,
  newConnection,
  newExchange,
  PROGRESS_BYTES,
  partialOf,
  progressOf,
  requestsOf,
  responsesOf,
} from '../../../../src/assemble/core/http1/connection'
import { longestWaiting, startDeadline, stopDeadline } from '../../../../src/assemble/core/http1/deadlines'
import { opensTunnel, requestBody, responseBody } from '../../../../src/assemble/core/http1/message-length'
import {
  forgetOpen,
  noteOpen,
  oldestOpen,
  openBytes,
  openOpenMessages,
  overdueOpen,
} from '../../../../src/assemble/core/http1/open-messages'
import {
  checkContestedEnd,
  completeAbandoned,
  conclude,
  doubt,
  refute,
  reject,
  resolve,
  settleMatch,
} from '../../../../src/assemble/core/http1/proof'
import { openLists } from '../../../../src/assemble/core/memory/list'
import { Region } from '../../../../src/assemble/core/memory/regions'
import { openSlab, Slab } from '../../../../src/assemble/core/memory/slab'
import { Flow } from '../../../../src/assemble/core/tcp/flow'

export {
  beginProgress,
  checkContestedEnd,
  completeAbandoned,
  conclude,
  doubt,
  expectChunked,
  forgetOpen,
  longestWaiting,
  noteOpen,
  oldestOpen,
  openBytes,
  opensTunnel,
  overdueOpen,
  readChunkFraming,
  refute,
  reject,
  resolve,
  settleMatch,
  startDeadline,
  stopDeadline,
}

export const NOT_CHUNKED: i32 = <i32>MALFORMED
export const LONGEST_SECTION: i32 = SECTION_BYTES

/**
 * Resets all state. @param slabs address of four slabs and the lists; @param records room for so many connections and
 * exchanges at `start`
 */
export function open(slabs: usize, start: usize, records: u32): void {
  const connections = changetype<Slab>(slabs)
  const exchanges = changetype<Slab>(slabs + offsetof<Slab>())
  const progress = changetype<Slab>(slabs + 2 * offsetof<Slab>())
  const responses = changetype<Slab>(slabs + 3 * offsetof<Slab>())
  const connectionsEnd = start + <usize>records * CONNECTION_BYTES
  const doubtsEnd = connectionsEnd + <usize>records * DOUBTS_BYTES
  const exchangesEnd = doubtsEnd + <usize>records * EXCHANGE_BYTES
  const progressEnd = exchangesEnd + 2 * <usize>records * PROGRESS_BYTES
  openSlab(connections, start, connectionsEnd, CONNECTION_BYTES)
  openSlab(exchanges, doubtsEnd, exchangesEnd, EXCHANGE_BYTES)
  openSlab(progress, exchangesEnd, progressEnd, PROGRESS_BYTES)
  openSlab(responses, progressEnd, progressEnd + <usize>records * MESSAGE_BYTES, MESSAGE_BYTES)
  Region.connections = connections
  Region.firstConnection = start
  Region.doubts = connectionsEnd
  Region.exchanges = exchanges
  Region.progress = progress
  Region.responses = responses
  Region.lists = slabs + 4 * offsetof<Slab>()
  openLists()
  openOpenMessages()
  setTime(0, 0)
}

/** Sets the time of the current segment, and the clock. */
export function setTime(micros: f64, clock: f64): void {
  Time.micros = micros
  Time.clock = clock
}

export function makeConnection(): Connection {
  return newConnection(changetype<Flow>(0))
}

export function requests(connection: Connection): MessageStream {
  return requestsOf(connection)
}

export function responses(connection: Connection): MessageStream {
  return responsesOf(connection)
}

export function makeExchange(connection: Connection): Exchange {
  return newExchange(connection)
}

export function waitingMicros(exchange: Exchange): f64 {
  return exchange.waitingMicros
}

export function stateOf(stream: MessageStream): i32 {
  return stream.state
}

export function setState(stream: MessageStream, state: u8): void {
  stream.state = state
}

export function remainingOf(stream: MessageStream): f64 {
  return <f64>progressOf(stream).remaining
}

export function setRemaining(stream: MessageStream, remaining: f64): void {
  beginProgress(stream).remaining = <i64>remaining
}

/** Simulates that this many bytes of a partial head are held. */
export function setPartialBytes(stream: MessageStream, bytes: usize): void {
  partialOf(beginProgress(stream)).length = bytes
}

export function requestBodyOf(): f64 {
  return <f64>requestBody()
}

export function responseBodyOf(method: i32): f64 {
  return <f64>responseBody(method)
}

/** A cleared flow record, where a connection looks up whether any of its bytes were lost. */
export function makeFlow(at: usize, lossy: bool): Flow {
  memory.fill(at, 0, offsetof<Flow>())
  const flow = changetype<Flow>(at)
  flow.lossy = lossy
  return flow
}

export function setFlow(connection: Connection, flow: Flow): void {
  connection.flow = flow
}

/** @param endSeq where its response seems to end */
export function setExchange(exchange: Exchange, endSeq: i32, contested: bool, unconfirmed: bool, closes: bool): void {
  beginResponse(exchange).endSeq = endSeq
  exchange.contested = contested
  exchange.unconfirmed = unconfirmed
  exchange.closes = closes
}

/** Simulates that the exchange was abandoned for this reason. */
export function setAbandoned(exchange: Exchange, reason: i8): void {
  exchange.abandoned = true
  exchange.reason = reason
}

export function waits(exchange: Exchange): bool {
  return exchange.waits
}

/** Makes the exchange the first unanswered one. @param ack acknowledgement number of its first segment */
export function setFirst(connection: Connection, exchange: Exchange, ack: i32): void {
  exchange.ackFirst = ack
  exchange.next = exchange
  connection.last = exchange
}

export function confirming(connection: Connection): Exchange | null {
  return connection.confirming
}

export function contested(connection: Connection): Exchange | null {
  return connection.contested
}

export function isPipelining(connection: Connection): bool {
  return connection.pipelining
}

/** The reason why responses are in doubt, or -128. */
export function responseDoubt(connection: Connection): i32 {
  return connection.responseDoubt ? responsesOf(connection).doubtReason : i8.MIN_VALUE
}
