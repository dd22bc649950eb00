/**
 * When the frame at hand was captured: microseconds since the Unix epoch. A place that source and sink share, instead of
 * a parameter: a double that crosses a call is boxed, which would be garbage for every frame.
 */
export class FrameTime {
  micros = 0
}
