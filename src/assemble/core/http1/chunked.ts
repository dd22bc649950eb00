/**
 * The lines between the data of a chunked body (RFC 9112 §7.1): sizes, extensions and the line end after each chunk, at
 * any segment boundaries. Data and trailers are the parser's (message-parser.ts).
 *
 *     CHUNK_SIZE ──CR──▶ CHUNK_SIZE_END ──LF──▶ CHUNK_DATA ──▶ CHUNK_DATA_END ──LF──▶ CHUNK_SIZE
 *          └─── ; ──▶ CHUNK_EXTENSION ──LF──┴─ size 0 ─▶ TRAILERS
 */
import { CR, LF, SEMICOLON, SPACE, TAB } from '../head/bytes'
import { MessageStream, progressOf } from './connection'
import {
  CHUNK_DATA,
  CHUNK_EXTENSION,
  CHUNK_SIZE,
  CHUNK_SIZE_END,
  SIZE_DIGITS,
  SIZE_DONE,
  SIZE_NONE,
  TRAILERS,
} from './stream-states'

/** Result of `readChunkFraming`: the bytes are no chunked body. */
export const MALFORMED: usize = 0
/** Most bytes of a chunk's line, and of a trailer section: longer ones are not HTTP. */
export const SECTION_BYTES: i32 = 65_536
/** `MessageStream.eol` within an extension. */
const AFTER_CR: u8 = 2

/** A chunk is smaller than this. */
const CHUNK_BYTES: i64 = 1 << 48

/** Prepares a stream for a chunked body, or for its next chunk. */
export function expectChunked(stream: MessageStream): void {
  const progress = progressOf(stream)
  stream.state = CHUNK_SIZE
  progress.remaining = 0
  progress.sizeState = SIZE_NONE
  progress.lineBytes = 0
}

/**
 * Reads bytes of a chunk's framing from [at, end), and sets the stream's state for what follows them.
 *
 * @param stream in CHUNK_SIZE, CHUNK_SIZE_END, CHUNK_EXTENSION or CHUNK_DATA_END
 * @returns the address after the bytes read, or MALFORMED
 */
export function readChunkFraming(stream: MessageStream, at: usize, end: usize): usize {
  switch (stream.state) {
    case CHUNK_SIZE:
      return chunkSize(stream, at, end)
    case CHUNK_EXTENSION:
      return chunkExtension(stream, at, end)
    case CHUNK_SIZE_END:
      return chunkSizeEnd(stream, at)
    default:
      return chunkDataEnd(stream, at, end)
  }
}

/** chunk-size in hexadecimal. Blanks around it and a bare LF after it occur in practice. */
function chunkSize(stream: MessageStream, at: usize, end: usize): usize {
  const progress = progressOf(stream)
  let p = at
  while (p < end) {
    const c = load<u8>(p++)
    const digit = hexValue(c)
    if (digit >= 0) {
      // Digits after a blank would be another number.
      if (progress.sizeState === SIZE_DONE || progress.remaining >= CHUNK_BYTES) return MALFORMED
      progress.remaining = progress.remaining * 16 + digit
      progress.sizeState = SIZE_DIGITS
    } else if (c === SPACE || c === TAB) {
      if (progress.sizeState === SIZE_DIGITS) progress.sizeState = SIZE_DONE
    } else if (c === CR || c === LF || c === SEMICOLON) {
      if (progress.sizeState === SIZE_NONE) return MALFORMED
      progress.wireBytes += <i32>(p - at)
      progress.lineBytes = 0
      progress.eol = 0
      if (c === LF) dataBegins(stream)
      else stream.state = c === CR ? CHUNK_SIZE_END : CHUNK_EXTENSION
      return p
    } else return MALFORMED
  }
  progress.wireBytes += <i32>(p - at)
  progress.lineBytes += <i32>(p - at)
  return progress.lineBytes > SECTION_BYTES ? MALFORMED : p
}

/**
 * Recipients disagree on whether a bare CR or LF ends an extension, and so on where the chunk's data begin: such a line
 * is malformed.
 */
function chunkExtension(stream: MessageStream, at: usize, end: usize): usize {
  const progress = progressOf(stream)
  let p = at
  while (p < end && load<u8>(p) !== LF) {
    if (progress.eol === AFTER_CR) return MALFORMED
    progress.eol = load<u8>(p++) === CR ? AFTER_CR : 0
  }
  progress.lineBytes += <i32>(p - at)
  if (progress.lineBytes > SECTION_BYTES) return MALFORMED
  progress.wireBytes += <i32>(p - at)
  if (p === end) return end
  if (progress.eol !== AFTER_CR) return MALFORMED
  progress.eol = 0
  progress.wireBytes++
  progress.lineBytes = 0
  dataBegins(stream)
  return p + 1
}

/** Reads the LF after the CR of a chunk line without an extension. */
function chunkSizeEnd(stream: MessageStream, at: usize): usize {
  if (load<u8>(at) !== LF) return MALFORMED
  progressOf(stream).wireBytes++
  dataBegins(stream)
  return at + 1
}

function dataBegins(stream: MessageStream): void {
  const progress = progressOf(stream)
  if (progress.remaining > 0) stream.state = CHUNK_DATA
  else {
    stream.state = TRAILERS
    progress.eol = 1
  }
}

function chunkDataEnd(stream: MessageStream, at: usize, end: usize): usize {
  const progress = progressOf(stream)
  let p = at
  while (p < end) {
    const c = load<u8>(p++)
    if (c === LF) {
      progress.wireBytes += <i32>(p - at)
      expectChunked(stream)
      return p
    }
    if (c !== CR) return MALFORMED
  }
  progress.wireBytes += <i32>(p - at)
  return p
}

/** Value of a hexadecimal digit, or -1. */
function hexValue(c: u8): i32 {
  if (c >= 48 && c <= 57) return <i32>c - 48
  const lower = c | 32
  return lower >= 97 && lower <= 102 ? <i32>lower - 87 : -1
}
