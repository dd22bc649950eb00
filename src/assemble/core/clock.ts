/** Packet time, in microseconds since the Unix epoch. */

/** The clock follows larger steps only once a second frame confirms them. */
export const CLOCK_STEP_MICROS: f64 = 10_000_000

export class Time {
  /** Capture time of the current segment. */
  static micros: f64 = 0
  /** The clock of timers. It follows packet time, but a single frame with a stray timestamp does not change it. */
  static clock: f64 = 0
}

/** Start time of a new timer: this segment's time, or the clock if that is later. */
export function timerStart(): f64 {
  return max(Time.micros, Time.clock)
}

/** Whether a timer was started at a stray timestamp that the clock did not follow. */
export function isStray(start: f64): bool {
  return start - Time.clock > CLOCK_STEP_MICROS && abs(Time.micros - Time.clock) <= CLOCK_STEP_MICROS
}
