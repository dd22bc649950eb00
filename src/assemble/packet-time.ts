/**
 * The capture time of the current segment, in microseconds since the Unix epoch. It is one object per assembler instead
 * of a parameter of every call, because V8 would allocate for each double that is passed to a function.
 */
export class PacketTime {
  micros = 0
  /** The clock of timers. It follows packet time, but a single frame with a stray timestamp does not change it. */
  clock = 0

  /** Start time of a new timer: this segment's time, or the clock if that is later. */
  get start(): number {
    return Math.max(this.micros, this.clock)
  }

  /** Whether a timer was started at a stray timestamp that the clock did not follow. */
  isStray(start: number): boolean {
    return start - this.clock > CLOCK_STEP_MICROS && Math.abs(this.micros - this.clock) <= CLOCK_STEP_MICROS
  }
}

/** The clock follows larger steps only once a second frame confirms them. */
export const CLOCK_STEP_MICROS = 10_000_000
