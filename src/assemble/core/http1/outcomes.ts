/**
 * The ends of exchanges: a pair is emitted, or filtered by a rule, or the exchange is abandoned. Every request and
 * response that was counted leaves through exactly one counter here, and its memory returns to the pool.
 */
import { Time } from '../clock'
import * as C from '../counters'
import { add, count } from '../counts'
import {
  beginPair,
  emitRecord,
  finishPair,
  pairLength,
  pairStart,
  responseInPlace,
  storedMessage,
} from '../encode/pair'
import { hostSelects } from '../host'
import { countOf, interfaceAt } from '../interfaces'
import { RULE_INCLUDE, RULE_NONE, RULE_PAIR_BYTES, RULE_SELECTION } from '../reasons'
import { Settings } from '../settings'
import { Exchange, freeExchange, freeMessages, requestOf, responseOf } from './connection'
import { stopDeadline } from './deadlines'

/** Counts the exchange as abandoned, unless it already is, and frees what it holds. @param reason a REASON_ value */
export function abandon(exchange: Exchange, reason: i8): void {
  if (!exchange.abandoned) {
    // The counters are in the order of the REASON_ values.
    const offset = <usize>reason * sizeof<f64>()
    exchange.abandoned = true
    exchange.reason = reason
    count(C.abandonedTimeout + offset)
    countOf(exchange.connection.flow.interfaceId, C.abandonedTimeout + offset)
    add(C.requestsWaiting, -1)
    if (exchange.responseBegun) count(C.orphanedTimeout + offset)
    stopDeadline(exchange)
    freeMessages(exchange)
  }
  settle(exchange)
}

/** A rule filters the pair: its messages are parsed to their end, but not stored. */
export function filter(exchange: Exchange, rule: u8): void {
  exchange.rule = rule
  freeMessages(exchange)
}

/** Counts a complete pair and, unless a rule filters it, writes it to the output. */
export function emit(exchange: Exchange): void {
  const request = requestOf(exchange)
  const response = responseOf(exchange)
  if (exchange.rule === RULE_NONE && request.wireBytes + response.wireBytes > Settings.pairBytes) {
    exchange.rule = RULE_PAIR_BYTES
  }
  if (isFiltered(exchange)) return
  let at = beginPair(exchange)
  at = storedMessage(at, request, exchange.measured)
  at = storedMessage(at, response, exchange.measured)
  send(exchange, at)
}

/** As `emit`, for an unfiltered pair whose response is being parsed: head in the scanner, body at `bodyStart`. */
export function emitInPlace(exchange: Exchange, bodyStart: usize): void {
  if (isFiltered(exchange)) return
  let at = beginPair(exchange)
  at = storedMessage(at, requestOf(exchange), exchange.measured)
  at = responseInPlace(at, responseOf(exchange), bodyStart, exchange.measured)
  send(exchange, at)
}

/** Frees the exchange once nothing refers to it. */
export function settle(exchange: Exchange): void {
  if (exchange.queued || exchange.requestOpen || exchange.responseOpen) return
  const connection = exchange.connection
  if (connection.confirming === exchange || connection.contested === exchange) return
  stopDeadline(exchange)
  freeExchange(exchange)
}

/** Counts a complete pair that a rule filters. @returns whether one does */
function isFiltered(exchange: Exchange): bool {
  if (exchange.rule === RULE_NONE && Settings.minLatencyMicros > 0) {
    const waited = responseOf(exchange).endMicros - requestOf(exchange).startMicros
    if (waited < Settings.minLatencyMicros) exchange.rule = RULE_INCLUDE
  }
  if (exchange.rule === RULE_NONE) return false
  complete(exchange, filteredCounter(exchange.rule))
  retire(exchange)
  return true
}

/** The counters are in the order of the RULE_ values, of which the first has none. */
function filteredCounter(rule: u8): usize {
  return C.filteredPairBytes + <usize>(rule - 1) * sizeof<f64>()
}

function complete(exchange: Exchange, counter: usize): void {
  count(C.pairsAssembled)
  add(C.requestsWaiting, -1)
  count(counter)
  countOf(exchange.connection.flow.interfaceId, counter)
}

function send(exchange: Exchange, at: usize): void {
  finishPair(at, exchange)
  if (Settings.hasSelection && !hostSelects(pairStart(), pairLength()))
    complete(exchange, filteredCounter(RULE_SELECTION))
  else {
    complete(exchange, C.pairsKept)
    interfaceAt(exchange.connection.flow.interfaceId).lastKeptMicros = responseOf(exchange).endMicros + Time.offset
    emitRecord(exchange)
  }
  retire(exchange)
}

function retire(exchange: Exchange): void {
  freeMessages(exchange)
  exchange.abandoned = true
  settle(exchange)
}
