/**
 * Waiting exchanges, ordered by the packet time at which their waiting began.
 *
 *     soonest ──▶ exchange ─later─▶ exchange ─later─▶ …
 */
import { Exchange } from './connection'

class Deadlines {
  static soonest: Exchange | null = null
  static latest: Exchange | null = null
}

/** Empties the list: an assembler begins (layout.ts). */
export function openDeadlines(): void {
  Deadlines.soonest = null
  Deadlines.latest = null
}

/** The exchange that has waited longest, or null. */
export function longestWaiting(): Exchange | null {
  return Deadlines.soonest
}

/** @param micros when the waiting began */
export function startDeadline(exchange: Exchange, micros: f64): void {
  stopDeadline(exchange)
  const latest = Deadlines.latest
  exchange.waits = true
  exchange.waitingMicros = micros
  exchange.sooner = latest
  exchange.later = null
  if (latest !== null) latest.later = exchange
  else Deadlines.soonest = exchange
  Deadlines.latest = exchange
}

/** Does nothing if the exchange does not wait. */
export function stopDeadline(exchange: Exchange): void {
  if (!exchange.waits) return
  const sooner = exchange.sooner
  const later = exchange.later
  if (sooner !== null) sooner.later = later
  else Deadlines.soonest = later
  if (later !== null) later.sooner = sooner
  else Deadlines.latest = sooner
  exchange.waits = false
}
