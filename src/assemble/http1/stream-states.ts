/** Where a stream of messages is (see MessageStream and MessageParser). */

/** In the order of a message's progress; SEEK and OPAQUE are outside of messages. */
/** Position unknown: waits for a segment that provably begins a message. */
export const SEEK = 0
/** Between messages, in front of a start line. */
export const HEAD = 1
/** Inside a head that began in an earlier segment. */
export const HEAD_PART = 2
/** Inside a body of known length. */
export const COUNTED = 3
export const CHUNK_SIZE = 4
/** Between the CR and the LF after a chunk size. */
export const CHUNK_SIZE_END = 5
export const CHUNK_EXTENSION = 6
export const CHUNK_DATA = 7
/** At the line end after a chunk's data. */
export const CHUNK_DATA_END = 8
export const TRAILERS = 9
/** Inside a body that ends with the connection. */
export const TO_CLOSE = 10
/** The stream has ended, or carries another protocol (CONNECT, 101). */
export const OPAQUE = 11

/** Progress within a chunk size: no digit yet, digits, a blank behind them. */
export const SIZE_NONE = 0
export const SIZE_DIGITS = 1
export const SIZE_DONE = 2
