/**
 * Records messages until their exchange is complete: fills in their records, encodes their heads, and stores heads and bodies in
 * the pool. A message that announces more than the limits is abandoned before any of it is stored.
 */

import { Time } from '../clock'
import * as C from '../counters'
import { add } from '../counts'
import { putMessageHead, stageAt } from '../encode/pair'
import { Part } from '../encode/parts'
import { digest, noteNonAscii } from '../head/digest'
import { ANOMALIES, DIGEST_1, DIGEST_2, FIELD_COUNT, NON_ASCII, RESULTS_AT } from '../head/layout'
import { LARGEST_CELL_BYTES } from '../memory/cells'
import { append, claim, filled } from '../memory/chain'
import { REASON_EVICTED, REASON_OVERSIZE, RULE_NONE, RULE_PAIR_BYTES } from '../reasons'
import { Settings } from '../settings'
import { Exchange, Message, MessageStream, progressOf, requestOf, responseOf, responseWireBytes } from './connection'
import { abandon, filter } from './outcomes'
import { Position } from './position'

/** Growth of a header field over its wire bytes, at most: an array and two long string headers instead of ":" and LF. */
const FIELD_OVERHEAD: usize = 5

/** Whether the pair of the exchange may still be kept: otherwise its messages are followed, but neither digested nor stored. */
export function isWanted(exchange: Exchange): bool {
  return !exchange.abandoned && exchange.rule === RULE_NONE
}

/** Records the head of `headBytes` bytes that was scanned last. */
export function beginMessage(message: Message, headBytes: i32): void {
  message.startSeq = Position.headSeq
  message.startMicros = Position.headMicros
  message.endMicros = Time.micros
  message.wireBytes = headBytes
  message.bodyBytes = 0
  message.anomalies = load<u16>(RESULTS_AT + ANOMALIES)
  add(C.bytesHttp, <f64>headBytes)
}

/** Records the end of the message in progress. @param endSeq sequence number after its last byte */
export function finishMessage(message: Message, stream: MessageStream, endSeq: i32): void {
  // After a loss the retransmitted first byte may be captured later than the last one.
  message.endMicros = max(message.startMicros, Time.micros)
  message.endSeq = endSeq
  const progress = progressOf(stream)
  add(C.bytesHttp, <f64>(progress.wireBytes - message.wireBytes))
  message.wireBytes = progress.wireBytes
  message.bodyBytes = progress.bodyBytes
}

/** Checks the limits as soon as a head announces the size of its body. */
export function announce(exchange: Exchange, message: Message, bodyBytes: i64): void {
  // A body may announce more than 32 bits hold.
  const wireBytes = <f64>message.wireBytes + <f64>bodyBytes
  const request = requestOf(exchange)
  const other = <f64>(message === request ? responseWireBytes(exchange) : request.wireBytes)
  if (wireBytes > Settings.messageBytes) abandon(exchange, REASON_OVERSIZE)
  else if (exchange.rule === RULE_NONE && wireBytes + other > Settings.pairBytes) filter(exchange, RULE_PAIR_BYTES)
}

/** Digests the head [start, headEnd), which was scanned last and may be part of a kept pair: before it is encoded or measured. */
export function identify(exchange: Exchange, message: Message, start: usize, headEnd: usize): void {
  if (exchange.measured) {
    noteNonAscii(start, headEnd)
    return
  }
  digest(start, headEnd, message.startSeq)
  message.digest1 = load<u32>(RESULTS_AT + DIGEST_1)
  message.digest2 = load<u32>(RESULTS_AT + DIGEST_2)
}

/** Encodes and stores the head that was scanned and digested last, of an exchange that `isWanted`; of a measured one its room is taken. */
export function storeMessage(exchange: Exchange, message: Message, isResponse: bool): void {
  const bound = boundOf(message)
  let stored: bool
  if (bound <= LARGEST_CELL_BYTES) {
    const cell = claim(message, bound)
    stored = cell !== 0
    if (stored) filled(message, putMessageHead(cell, isResponse, exchange.measured) - cell)
  } else {
    const start = stageAt()
    stored = append(message, start, putMessageHead(start, isResponse, exchange.measured) - start)
  }
  if (!stored) abandon(exchange, REASON_EVICTED)
}

/** Stores the body bytes [at, end) of the message in progress. */
export function appendBody(stream: MessageStream, exchange: Exchange, at: usize, end: usize): void {
  const wireBytes = progressOf(stream).wireBytes
  if (wireBytes > Settings.messageBytes) abandon(exchange, REASON_OVERSIZE)
  if (!isWanted(exchange)) return
  const message = stream.isResponse ? responseOf(exchange) : requestOf(exchange)
  const other = stream.isResponse ? requestOf(exchange).wireBytes : responseWireBytes(exchange)
  if (wireBytes + other > Settings.pairBytes) filter(exchange, RULE_PAIR_BYTES)
  else if (!append(message, at, end - at)) abandon(exchange, REASON_EVICTED)
}

/** Upper bound of the bytes that `putMessageHead` writes. */
function boundOf(message: Message): usize {
  const wide: usize = load<i32>(RESULTS_AT + NON_ASCII) !== 0 ? 2 : 1
  return wide * <usize>message.wireBytes + FIELD_OVERHEAD * load<usize>(RESULTS_AT + FIELD_COUNT) + Part.headOverhead
}
