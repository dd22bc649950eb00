/**
 * Writes a whole pair (docs/pair.md) to the output, as a record of the pair ring (src/ring/layout.ts): a prefix whose values
 * are patched, both endpoints, both messages, the capture map and the flags.
 *
 * Where pairs are only counted, their records have no bytes. A pair that nothing reads is measured: the same steps find its length,
 * without most of the copies, which cost a quarter of the assembler's time.
 */

import { copy } from '../../../wasm/copy'
import { Time } from '../clock'
import { plainHeadBytes, writeHead, writeId } from '../head/encode'
import { ANOMALY_FOLDED, ANOMALY_INCOMPLETE, ANOMALY_LENGTH_IGNORED, ANOMALY_MALFORMED_FIELD } from '../head/layout'
import { hostForwarded, hostMaps, hostName, hostPassPairs } from '../host'
import { Exchange, Message, requestOf, responseOf } from '../http1/connection'
import { Interface, interfaceAt, isBehindProxy, mapBytesOf, mapOf } from '../interfaces'
import { copyOut } from '../memory/chain'
import { Settings } from '../settings'
import { Direction, Flow, TUNNEL_NONE } from '../tcp/flow'
import { addressWord, portOf } from '../tcp/flow-table'
import { writeEnds } from './ends'
import { Part } from './parts'

/** Distance from a body's first byte back to its length, a u32. */
const BODY_LENGTH: usize = 4
/** A record of the pair ring before the pair. */
const RECORD_BYTES: usize = 32
/** Distance from the next record at which a message may be encoded before it is stored. */
const STAGE_AT: usize = 4096

class Output {
  static start: usize = 0
  static end: usize = 0
  /** What one pair may need, or a message that is encoded before it is stored. */
  static room: usize = 0
  /** Where the next record begins. */
  static at: usize = 0
  /** Addresses in the pair being written: where its request begins, and where the pair ends. */
  static request: usize = 0
  static pairEnd: usize = 0
}

/** @param room what one pair may need, at most, or a message that is encoded before it is stored */
export function openOutput(start: usize, end: usize, room: usize): void {
  Output.start = start
  Output.end = end
  Output.room = room
  Output.at = start
}

/** Empties the output. */
export function rewindOutput(): void {
  Output.at = Output.start
}

/** The records in the output end here. */
export function outputEnd(): usize {
  return Output.at
}

/** Where a message may be encoded before it is stored: behind the records, which are not overwritten. */
export function stageAt(): usize {
  provideRoom()
  return Output.at + STAGE_AT
}

/** Address of the pair that `finishPair` has completed. */
export function pairStart(): usize {
  return Output.at + RECORD_BYTES
}

/** Bytes of that pair, without its record's header. */
export function pairLength(): usize {
  return Output.pairEnd - pairStart()
}

/** Whether nothing reads the pairs of a connection: neither the output, nor a selection, nor the host for `hostForwarded`. */
export function needsNoBytes(flow: Flow): bool {
  if (!Settings.onlyCounts || Settings.hasSelection) return false
  return !isBehindProxy(withMaps(flow.interfaceId), flow.vantage)
}

/** Writes the head that was scanned and digested last, or measures it. @returns the address after the body's bin header */
export function putMessageHead(to: usize, isResponse: bool, measured: bool): usize {
  const bytes = measured ? plainHeadBytes(isResponse, Part.head) : 0
  return bytes !== 0 ? to + bytes : writeHead(to, isResponse, Part.head)
}

/** Writes everything before the request, or measures it. @returns the address after it */
export function beginPair(exchange: Exchange): usize {
  provideRoom()
  const to = pairStart()
  const flow = exchange.connection.flow
  if (!exchange.measured) writePrefix(to, exchange)
  if (flow.namesVersion !== Settings.namesVersion) nameEnds(flow)
  Output.request = writeEnds(to + Part.prefixBytes, flow)
  return Output.request
}

function writePrefix(to: usize, exchange: Exchange): void {
  const request = requestOf(exchange)
  const response = responseOf(exchange)
  copy(to, Part.prefix, Part.prefixBytes)
  writeId(to + Part.idAt, request.digest1, request.digest2, response.digest1, response.digest2)
  writeTime(to + Part.requestStartAt, request.startMicros + Time.offset)
  writeTime(to + Part.requestEndAt, request.endMicros + Time.offset)
  writeTime(to + Part.responseStartAt, response.startMicros + Time.offset)
  writeTime(to + Part.responseEndAt, response.endMicros + Time.offset)
}

/** Appends a message stored in the pool, or measures it. @returns the address after it */
export function storedMessage(to: usize, message: Message, measured: bool): usize {
  if (measured) return to + message.length + Part.tailBytes
  copyOut(message, to)
  const end = to + message.length
  const bodyBytes = message.bodyBytes
  store<u32>(end - bodyBytes - BODY_LENGTH, bswap<u32>(bodyBytes))
  return writeTail(end, bodyBytes, message.wireBytes)
}

/**
 * Appends the response that is being parsed, or measures it: the scanner still holds its head, its body is at `bodyStart`.
 *
 * @returns the address after it
 */
export function responseInPlace(to: usize, message: Message, bodyStart: usize, measured: bool): usize {
  const at = putMessageHead(to, true, measured)
  const bodyBytes = message.bodyBytes
  if (measured) return at + bodyBytes + Part.tailBytes
  copy(at, bodyStart, bodyBytes)
  store<u32>(at - BODY_LENGTH, bswap<u32>(bodyBytes))
  return writeTail(at + bodyBytes, bodyBytes, message.wireBytes)
}

/** Writes the capture map and the flags. The pair is complete then. */
export function finishPair(to: usize, exchange: Exchange): void {
  const flow = exchange.connection.flow
  const entry = withMaps(flow.interfaceId)
  const length = mapBytesOf(entry, flow.vantage)
  copy(to, mapOf(entry, flow.vantage), length)
  let at = to + length
  const forwarded = !exchange.measured && isBehindProxy(entry, flow.vantage) ? Output.request : 0
  if (forwarded !== 0 || flow.proxied) at = hostForwarded(flow, to, at, forwarded)
  const anomalies: i32 = requestOf(exchange).anomalies | responseOf(exchange).anomalies
  const isPlain = !flow.midstream && !exchange.early && anomalies === 0 && flow.tunnel === TUNNEL_NONE
  Output.pairEnd = isPlain ? at : writeFlags(at, flow, exchange.early, anomalies)
}

/** Makes a record of the pair, or of its fields alone. */
export function emitRecord(exchange: Exchange): void {
  const flow = exchange.connection.flow
  const record = Output.at
  const size = Settings.onlyCounts ? RECORD_BYTES : (Output.pairEnd - record + 7) & ~7
  store<i32>(record, <i32>size)
  store<i32>(record, flow.hash, 4)
  store<f64>(record, requestOf(exchange).startMicros + Time.offset, 8)
  store<i32>(record, <i32>pairLength(), 16)
  store<i32>(record, <i32>RECORD_BYTES, 20)
  store<i32>(record, serverHash(flow), 24)
  store<i32>(record, <i32>flow.interfaceId, 28)
  Output.at = record + size
}

/** One segment, or the end of the input, may complete any number of pairs. */
function provideRoom(): void {
  if (Output.at + Output.room > Output.end) hostPassPairs()
}

/** An interface, with its `capture` maps. */
function withMaps(id: i32): Interface {
  const entry = interfaceAt(id)
  if (entry.mapsVersion !== Settings.namesVersion) hostMaps(id)
  return entry
}

function nameEnds(flow: Flow): void {
  flow.namesVersion = Settings.namesVersion
  flow.clientPod = 0
  flow.serverPod = 0
  if (interfaceAt(flow.interfaceId).hasVantagePoint) hostName(flow)
}

/** Writes the keys that follow a body. @returns the address after them */
function writeTail(to: usize, bodyBytes: i32, wireBytes: i32): usize {
  copy(to, Part.tail, Part.tailBytes)
  store<u32>(to + Part.bodySizeAt, bswap<u32>(bodyBytes))
  store<u32>(to + Part.tailBytes - 4, bswap<u32>(wireBytes))
  return to + Part.tailBytes
}

/** Writes a time as uint64. */
function writeTime(to: usize, micros: f64): void {
  store<u64>(to, bswap<u64>(<u64>micros))
}

/** A hash of the server endpoint's address and port, for partitioning. */
function serverHash(flow: Flow): i32 {
  const server: Direction = 1 - <u32>flow.client
  let hash = portOf(flow, server)
  for (let word: u32 = 0; word < 4; word++) hash = (hash ^ addressWord(flow, server, word)) * <i32>0x9e3779b1
  return hash ^ <i32>(<u32>hash >> 15)
}

/** Writes the flags at `to`, and their number into the array header before it. */
function writeFlags(to: usize, flow: Flow, early: bool, anomalies: i32): usize {
  let at = to
  if (flow.midstream) at = writeFlag(at, 0)
  if (early) at = writeFlag(at, 1)
  if (flow.tunnel !== TUNNEL_NONE) at = writeFlag(at, 2)
  if ((anomalies & ANOMALY_FOLDED) !== 0) at = writeFlag(at, 3)
  if ((anomalies & ANOMALY_MALFORMED_FIELD) !== 0) at = writeFlag(at, 4)
  if ((anomalies & ANOMALY_LENGTH_IGNORED) !== 0) at = writeFlag(at, 5)
  if ((anomalies & ANOMALY_INCOMPLETE) !== 0) at = writeFlag(at, 6)
  let flags = <i32>flow.midstream + <i32>early + <i32>(flow.tunnel !== TUNNEL_NONE)
  flags += popcnt<i32>(anomalies)
  store<u8>(to - 1, 0x90 | <u8>flags)
  return at
}

function writeFlag(to: usize, index: usize): usize {
  const entry = Part.flags + index * 8
  const length = load<usize>(entry, 4)
  copy(to, load<usize>(entry), length)
  return to + length
}
