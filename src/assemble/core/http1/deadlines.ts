/**
 * Waiting exchanges, ordered by the packet time at which their waiting began.
 *
 *     oldest ──▶ exchange ─newer─▶ exchange ─newer─▶ …
 */
import { append, oldestIn, remove, WAITING } from '../memory/list'
import { Exchange } from './connection'

const LINKS: usize = offsetof<Exchange>('older')

/** The exchange that has waited longest, or null. */
export function longestWaiting(): Exchange | null {
  return changetype<Exchange | null>(oldestIn(WAITING))
}

/** @param micros when the waiting began */
export function startDeadline(exchange: Exchange, micros: f64): void {
  stopDeadline(exchange)
  exchange.waits = true
  exchange.waitingMicros = micros
  append(WAITING, changetype<usize>(exchange), LINKS)
}

/** Does nothing if the exchange does not wait. */
export function stopDeadline(exchange: Exchange): void {
  if (!exchange.waits) return
  remove(WAITING, changetype<usize>(exchange), LINKS)
  exchange.waits = false
}
