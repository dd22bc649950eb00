/**
 * The time of the segment being worked on, microseconds since the Unix epoch. One object per assembler instead of a
 * parameter of every call: a double that crosses a call is boxed, which would be garbage for every frame.
 */
export class PacketTime {
  micros = 0
}
