/**
 * The time of the segment being worked on, microseconds since the Unix epoch. One object per assembler instead of a
 * parameter of every call: a double that crosses a call is boxed, which would be garbage for every frame.
 */
export class PacketTime {
  micros = 0
  /** Packet time as most frames have it: one frame with a stray timestamp does not move it. Timers go by this. */
  clock = 0

  /** What a timer that starts now starts from: this segment's time, if that is not before the clock. */
  get start(): number {
    return Math.max(this.micros, this.clock)
  }

  /** Whether a timer started from a time that the clock did not follow: a stray timestamp. */
  isStray(start: number): boolean {
    return start - this.clock > CLOCK_STEP_MICROS && Math.abs(this.micros - this.clock) <= CLOCK_STEP_MICROS
  }
}

/** Packet time runs on at once for steps up to this, for longer ones when a second frame agrees. */
export const CLOCK_STEP_MICROS = 10_000_000
