/**
 * The time of the segment being worked on, microseconds since the Unix epoch. One object per assembler instead of a
 * parameter of every call: a double that crosses a call is boxed, which would be garbage for every frame.
 */
export class PacketTime {
  micros = 0
  /** Packet time as most frames have it: one frame with a stray timestamp does not move it. Timers go by this. */
  clock = 0
}
