/** Packet time, in microseconds since the Unix epoch. */

/** The clock follows larger steps only once a second frame confirms them. */
export const CLOCK_STEP_MICROS: f64 = 10_000_000

/** Of two reported steps of the system clock, one is the other, reported by another capture worker. */
const SAME_STEP_MICROS: f64 = 2_000_000
const SAME_TIME_MICROS: f64 = 60_000_000

/** Every time in the program is capture time without the steps of the system clock. */
export class Time {
  /** Packet time of the current segment. */
  static micros: f64 = 0
  /** The clock of timers. It follows packet time, but a single frame with a stray timestamp does not change it. */
  static clock: f64 = 0
  /** By how much the system clock was set during the run: added to the times of pairs. */
  static offset: f64 = 0
  /** `offset` before the last step. */
  static formerOffset: f64 = 0
  /** When the last step was reported. */
  static steppedMicros: f64 = 0
}

/** Forgets all times and steps: an assembler begins (layout.ts). */
export function openClock(): void {
  Time.micros = 0
  Time.clock = 0
  Time.offset = 0
  Time.formerOffset = 0
  Time.steppedMicros = 0
}

/** Sets the time of a segment. @param captured by the system clock, which may have been set since */
export function setTime(captured: f64): void {
  let micros = captured - Time.offset
  if (Time.offset !== Time.formerOffset && abs(micros - Time.clock) > CLOCK_STEP_MICROS) {
    const former = captured - Time.formerOffset
    if (abs(former - Time.clock) < abs(micros - Time.clock)) micros = former
  }
  Time.micros = micros
}

/** Time of the segment being processed; the host sets it for bytes that were withheld. */
export function micros(): f64 {
  return Time.micros
}

/** The host sets the packet time before it delivers such bytes, and afterwards sets it back. */
export function setMicros(micros: f64): void {
  Time.micros = micros
}

/** The system clock was set, which every capture worker reports. @param step below 0: it was set back */
export function stepClock(step: f64): void {
  const isRecent = Time.clock - Time.steppedMicros < SAME_TIME_MICROS
  if (isRecent && abs(step - (Time.offset - Time.formerOffset)) < SAME_STEP_MICROS) return
  Time.formerOffset = Time.offset
  Time.offset += step
  Time.steppedMicros = Time.clock
}

/** Start time of a new timer: this segment's time, or the clock if that is later. */
export function timerStart(): f64 {
  return max(Time.micros, Time.clock)
}

/** Whether a timer was started at a stray timestamp that the clock did not follow. */
export function isStray(start: f64): bool {
  return start - Time.clock > CLOCK_STEP_MICROS && abs(Time.micros - Time.clock) <= CLOCK_STEP_MICROS
}
