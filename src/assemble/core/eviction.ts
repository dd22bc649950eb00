/**
 * What is evicted when memory is short, and what expires. The TCP half (tcp/flow-lifetime.ts) asks before it
 * processes a segment, and after it has given up a hole: it closes the connections that are named here.
 *
 *     messages in progress at their bound ──▶ close the connection whose message has paused longest
 *     exchanges at their bound ──▶ close the first busy one of the LOOKED_AT connections used least recently, if it was last
 *                                  used before the longest wait for a response began; else the connection of that wait
 *
 *     the pool is low ──▶ what is held behind holes (tcp/reassembler.ts), the oldest hole first
 *                             │ no hole is left
 *                             ▼
 *                         do messages in progress hold less than half of the bytes in use?
 *                             │ no, or nothing waits    └─ yes ──▶ the exchange that has waited longest
 *                             ▼
 *                         the message in progress that has paused longest
 *
 * Invariant: a connection that is named has an exchange or a message in progress, and an exchange or a message that is dropped
 * leaves its list (http1/deadlines.ts, http1/open-messages.ts), so that each step frees something and the caller's loops end.
 */
import { idlestWithPreamble, preamblesAreFull } from './flow-preambles'
import { Connection, connectionOf, MessageStream, requestsOf, responsesOf } from './http1/connection'
import { longestWaiting } from './http1/deadlines'
import { damageMessage, evictWaiting, expireExchanges } from './http1/exchanges'
import { noteOpen, oldestOpen, openBytes, overdueOpen } from './http1/open-messages'
import { loseStream } from './http1/place'
import { HEAD_PART } from './http1/stream-states'
import { usedBytes } from './memory/cells'
import { PROVEN } from './memory/list'
import { Region } from './memory/regions'
import { REASON_EVICTED, REASON_TIMEOUT } from './reasons'
import { Settings } from './settings'
import { Flow } from './tcp/flow'
import { oldestOf } from './tcp/flow-lists'

/** How many of the least recently used connections are searched for one that has an exchange. */
const LOOKED_AT: i32 = 16

/**
 * Whether the limit of exchanges, of messages in progress, or of what precedes them is reached. Those of one segment
 * may exceed it.
 */
export function ownerIsFull(): bool {
  return Region.exchanges.used >= Settings.exchanges || messagesAreFull() || preamblesAreFull()
}

/**
 * The connection to close while `ownerIsFull`; null: none is found, and the caller closes the one least likely to be
 * needed.
 */
export function ownerFlowToEvict(): Flow | null {
  if (preamblesAreFull()) return idlestWithPreamble()
  const open = oldestOpen()
  if (open !== null && messagesAreFull()) return connectionOf(open).flow
  const waiting = longestWaiting()
  // If nearly all exchanges are still in progress, the longest waiting one is new: look for an older one among connections.
  let flow = oldestOf(PROVEN)
  for (let looked = 0; flow !== null && looked < LOOKED_AT; looked++) {
    const isOlder = waiting === null || flow.lastMicros < waiting.waitingMicros
    if (isOlder && flow.http !== 0 && isBusy(changetype<Connection>(flow.http))) return flow
    flow = flow.newer
  }
  return waiting === null ? null : waiting.connection.flow
}

/** Drops one waiting exchange or one message in progress, because the pool is low. @returns false when there is none */
export function ownerEvictOldest(): bool {
  const oldest = oldestOpen()
  const isSmaller = openBytes() < usedBytes() >> 1
  if ((oldest === null || isSmaller) && evictWaiting()) return true
  if (oldest === null) return false
  drop(oldest, REASON_EVICTED)
  return true
}

/** Abandons exchanges without a response after `responseTimeoutMicros`, and messages that have paused for `idleMicros`. */
export function ownerExpire(): void {
  expireExchanges()
  let stream = overdueOpen(Settings.idleMicros)
  while (stream !== null) {
    drop(stream, REASON_TIMEOUT)
    stream = overdueOpen(Settings.idleMicros)
  }
}

/** Whether the limit of messages in progress is reached. */
function messagesAreFull(): bool {
  return Region.progress.used >= Settings.messages
}

/** Frees what a message in progress holds. Its stream stays in its place inside a body, and loses it inside a head. */
function drop(stream: MessageStream, reason: i8): void {
  if (stream.state === HEAD_PART) loseStream(stream, reason)
  else damageMessage(stream, reason)
  noteOpen(stream)
}

/** Whether it has an exchange or a message in progress. */
function isBusy(connection: Connection): bool {
  if (connection.first !== null) return true
  return requestsOf(connection).progress !== null || responsesOf(connection).progress !== null
}
