/**
 * The states of a stream of messages (`MessageStream.state`). message-parser.ts reads the bytes of each state,
 * chunked.ts those of a chunk's framing; place.ts leads to SEEK and out of it.
 *
 *     SEEK ──a segment provably begins with a message──▶ HEAD ◀─────────────────────────────────────┐
 *                                                       │    ▲                                      │
 *                              the segment ends in a head    the head is complete                   │
 *                                                       ▼    │                                      │
 *                                                     HEAD_PART                            message complete
 *                                                                                                   │
 *     head complete ─┬─ no body ────────────────────────────────────────────────────────────────────┤
 *                    ├─ Content-Length ──▶ COUNTED ─────────────────────────────────────────────────┤
 *                    ├─ chunked ──▶ CHUNK_… (chunked.ts) ──▶ TRAILERS ──────────────────────────────┘
 *                    ├─ neither ──▶ TO_CLOSE ──FIN──▶ message complete, OPAQUE
 *                    └─ 101, or success of a CONNECT ──▶ OPAQUE
 *
 *     any ──gap beyond a counted body, malformed bytes, contradicted framing──▶ SEEK
 *     any ──end of the stream──▶ OPAQUE
 *
 * The values are in the order of a message's progress: from HEAD_PART on a message is in progress, from COUNTED on its body.
 */

/** Position unknown: waits for a segment that provably begins with a message. */
export const SEEK: u8 = 0
/** Between messages, in front of a start line. */
export const HEAD: u8 = 1
/** Inside a head that began in an earlier segment. */
export const HEAD_PART: u8 = 2
/** Inside a body of known length. */
export const COUNTED: u8 = 3
export const CHUNK_SIZE: u8 = 4
/** Between the CR and the LF after a chunk size. */
export const CHUNK_SIZE_END: u8 = 5
export const CHUNK_EXTENSION: u8 = 6
export const CHUNK_DATA: u8 = 7
/** Before the line end that follows a chunk's data. */
export const CHUNK_DATA_END: u8 = 8
export const TRAILERS: u8 = 9
/** Inside a body that ends with the connection. */
export const TO_CLOSE: u8 = 10
/** The stream has ended, or carries another protocol (CONNECT, 101). */
export const OPAQUE: u8 = 11

/** Progress within a chunk size: no digit yet, digits, a blank behind them. */
export const SIZE_NONE: u8 = 0
export const SIZE_DIGITS: u8 = 1
export const SIZE_DONE: u8 = 2
