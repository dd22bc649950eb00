/**
 * The time of the segment being processed, microseconds since the Unix epoch. One object per assembler instead of a
 * parameter of every call: V8 boxes a double that is passed to a function, which would be garbage for every frame.
 */
export class PacketTime {
  micros = 0
  /** Packet time of most frames: one frame with a stray timestamp does not change it. Timers use this. */
  clock = 0

  /** Start of a timer that begins now: this segment's time, or the clock if that is later. */
  get start(): number {
    return Math.max(this.micros, this.clock)
  }

  /** Whether a timer started from a stray timestamp, which the clock did not follow. */
  isStray(start: number): boolean {
    return start - this.clock > CLOCK_STEP_MICROS && Math.abs(this.micros - this.clock) <= CLOCK_STEP_MICROS
  }
}

/** The clock advances at once for steps up to this, for longer ones when a second frame agrees. */
export const CLOCK_STEP_MICROS = 10_000_000
