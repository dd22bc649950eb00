/**
 * The framing of HTTP/1 messages (RFC 9112 §6 and §7): splits a stream into heads, bodies and ends, at any segment
 * boundaries. stream-states.ts has the picture of its states. message-start.ts decides which request a response belongs
 * to, and so whether it has a body; place.ts detects that the parser is not where it seems to be.
 */
import { Time } from '../clock'
import { CR, LF } from '../head/bytes'
import { END, HEAD_COMPLETE, HEAD_INCOMPLETE, HEAD_INVALID, HEAD_OVERSIZE, RESULTS_AT } from '../head/layout'
import { append, copyOut, free } from '../memory/chain'
import { Region } from '../memory/regions'
import { REASON_DOUBTFUL, REASON_EVICTED, REASON_GAP, REASON_OVERSIZE } from '../reasons'
import { Settings } from '../settings'
import { MALFORMED, readChunkFraming, SECTION_BYTES } from './chunked'
import {
  addWireBytes,
  beginProgress,
  connectionOf,
  freePartial,
  MessageStream,
  Progress,
  partialOf,
  progressOf,
} from './connection'
import {
  completeMessage,
  cutMessageShort,
  damageMessage,
  losePlace,
  messageBody,
  recognise,
  requestBegins,
  skipped,
} from './exchanges'
import { beginsMessage, scanHead, startLineEnd } from './head'
import { messageHead } from './message-start'
import { checkProgress, isInsideMessage, loseStream, seek } from './place'
import { Position, seqAt } from './position'
import {
  CHUNK_DATA,
  CHUNK_DATA_END,
  CHUNK_EXTENSION,
  CHUNK_SIZE,
  CHUNK_SIZE_END,
  COUNTED,
  HEAD,
  HEAD_PART,
  OPAQUE,
  SEEK,
  TO_CLOSE,
  TRAILERS,
} from './stream-states'

/** No end of a head was found. */
const NOT_FOUND: usize = 0
/** Shortest status line, with its version and status. */
const STATUS_LINE_BYTES: usize = 12

/** Parses the next in-order bytes [at, end) of a stream. */
export function parseData(stream: MessageStream, at: usize, end: usize, seq: i32, ack: i32): void {
  Position.base = seq - <i32>at
  Position.ack = ack
  let p = at
  if (stream.state === SEEK) p = seek(stream, at, end)
  else if (isInsideMessage(stream)) checkProgress(stream, at, end, seq)
  const isInside = isInsideMessage(stream)
  while (p < end) p = step(stream, p, end)
  // The message that misled the parser began before this segment, and may have ended there.
  if (isInside && stream.state === SEEK) {
    p = seek(stream, at, end)
    while (p < end) p = step(stream, p, end)
  }
  if (stream.state === SEEK && !stream.isResponse) skipped(stream)
  stream.lastAck = ack
  stream.ackKnown = true
}

/**
 * Handles `bytes` bytes of the stream that will never arrive. Within a body or chunk of known length they are
 * counted; elsewhere the stream loses its place.
 *
 * @param seq sequence number of the first byte after them
 */
export function parseGap(stream: MessageStream, bytes: i32, seq: i32): void {
  const state = stream.state
  if (state === OPAQUE) return
  Position.ack = stream.lastAck
  if (state >= COUNTED) damageMessage(stream, REASON_GAP)
  const counted = state === COUNTED || state === CHUNK_DATA
  if (state !== TO_CLOSE && (!counted || <i64>bytes > progressOf(stream).remaining)) {
    loseStream(stream, REASON_GAP)
    return
  }
  const progress = progressOf(stream)
  addWireBytes(progress, bytes)
  if (state === TO_CLOSE) return
  progress.remaining -= bytes
  progress.lengthUnsure = false
  if (progress.remaining > 0) return
  if (state === COUNTED) complete(stream, seq)
  else stream.state = CHUNK_DATA_END
}

/**
 * The stream ends. A body that only the end delimits is complete if the end is proper, and so is a chunked one that
 * lacks no more than the empty line after its last chunk.
 *
 * @param proper a FIN in sequence; @param reason why an incomplete message is abandoned
 * @param seq sequence number after the last byte
 */
export function parseEnd(stream: MessageStream, proper: bool, reason: i8, seq: i32): void {
  Position.ack = stream.lastAck
  const state = stream.state
  // The last chunk ends the body (RFC 9112 §8); the empty line after it is missing where a server closes at once.
  const whole = state === TO_CLOSE || (state === TRAILERS && progressOf(stream).lineBytes === 0)
  if (whole && proper) completeMessage(stream, seq)
  else if (state >= COUNTED && state !== OPAQUE) cutMessageShort(stream, seq, reason)
  else if (state === HEAD_PART && stream.isResponse) losePlace(stream, reason)
  freePartial(stream)
  stream.state = OPAQUE
}

/** @returns where a start line may begin: servers ignore empty lines in front of one (RFC 9112 §2.2) */
export function skipEmptyLines(at: usize, end: usize): usize {
  while (at < end && (load<u8>(at) === CR || load<u8>(at) === LF)) at++
  return at
}

function step(stream: MessageStream, p: usize, end: usize): usize {
  switch (stream.state) {
    case HEAD:
      return headBegins(stream, p, end)
    case HEAD_PART:
      return headPart(stream, p, end)
    case COUNTED:
      return counted(stream, p, end)
    case CHUNK_SIZE:
    case CHUNK_EXTENSION:
    case CHUNK_SIZE_END:
    case CHUNK_DATA_END:
      return chunkFraming(stream, p, end)
    case CHUNK_DATA:
      return chunkData(stream, p, end)
    case TRAILERS:
      return trailers(stream, p, end)
    case TO_CLOSE: {
      bodyBytes(stream, p, end)
      return end
    }
    default:
      return end
  }
}

function headBegins(stream: MessageStream, at: usize, end: usize): usize {
  const start = skipEmptyLines(at, end)
  if (start === end) return end
  if (!stream.isResponse) requestBegins(stream)
  const result = scanHead(start, end, stream.isResponse)
  if (result === HEAD_COMPLETE) {
    Position.headSeq = seqAt(start)
    Position.headAck = Position.ack
    Position.headMicros = Time.micros
    stream.state = HEAD
    beginProgress(stream)
    const headEnd = load<usize>(RESULTS_AT + END)
    return handleHead(stream, start, headEnd, headEnd, end)
  }
  if (result !== HEAD_INCOMPLETE) {
    loseHead(stream, result)
    return end
  }
  if (startLineEnd() !== 0) recognise(connectionOf(stream))
  const progress = beginProgress(stream)
  progress.partialSeq = seqAt(start)
  progress.partialAck = Position.ack
  progress.partialMicros = Time.micros
  progress.eol = 0
  stream.state = HEAD_PART
  return headPart(stream, start, end)
}

function headPart(stream: MessageStream, at: usize, end: usize): usize {
  const progress = progressOf(stream)
  const headEnd = findHeadEnd(progress, at, end)
  const stop = headEnd === NOT_FOUND ? end : headEnd
  const chain = partialOf(progress)
  if (<i32>(chain.length + stop - at) > Settings.messageBytes) {
    loseStream(stream, REASON_OVERSIZE)
    return end
  }
  if (!append(chain, at, stop - at)) {
    loseStream(stream, REASON_EVICTED)
    return end
  }
  return headEnd === NOT_FOUND ? end : headMadeWhole(stream, headEnd, end)
}

/** The rest of a head that was cut ends at `headEnd`. */
function headMadeWhole(stream: MessageStream, headEnd: usize, end: usize): usize {
  const start = Region.heads
  const progress = progressOf(stream)
  const chain = partialOf(progress)
  const length = chain.length
  copyOut(chain, start)
  free(chain)
  // The body that was believed unsent may have been sent after all, and the head that ends here follows it.
  const unsent = progress.unsentBytes
  progress.unsentBytes = 0
  if (unsent > 0 && unsent < <i64>length && beginsMessage(start + <usize>unsent, start + length, false)) {
    loseStream(stream, REASON_DOUBTFUL)
    return end
  }
  const result = scanHead(start, start + length, stream.isResponse)
  if (result !== HEAD_COMPLETE) {
    loseHead(stream, result)
    return end
  }
  Position.headSeq = progress.partialSeq
  Position.headAck = progress.partialAck
  Position.headMicros = progress.partialMicros
  stream.state = HEAD
  return handleHead(stream, start, start + length, headEnd, end)
}

function handleHead(stream: MessageStream, start: usize, headEnd: usize, bodyStart: usize, end: usize): usize {
  const progress = progressOf(stream)
  progress.partialAck = Position.headAck
  progress.wireBytes = <i32>(headEnd - start)
  progress.bodyBytes = 0
  progress.lengthUnsure = false
  progress.lineBytes = 0
  return messageHead(stream, start, headEnd, bodyStart, end)
}

/** @returns the address after the empty line that ends a head or trailer section, or NOT_FOUND */
function findHeadEnd(progress: Progress, at: usize, end: usize): usize {
  let eol = progress.eol
  for (let i = at; i < end; i++) {
    const c = load<u8>(i)
    if (c === LF) {
      if (eol !== 0) {
        progress.eol = 0
        return i + 1
      }
      eol = 1
    } else eol = c === CR && eol === 1 ? 2 : 0
  }
  progress.eol = eol
  return NOT_FOUND
}

function counted(stream: MessageStream, at: usize, end: usize): usize {
  const progress = progressOf(stream)
  if (progress.lengthUnsure && looksLikeResponse(at, end)) {
    const ack = Position.ack
    progress.lengthUnsure = false
    // It had ended with the segment before.
    Position.ack = stream.lastAck
    complete(stream, seqAt(at))
    Position.ack = ack
    return at
  }
  progress.lengthUnsure = false
  const stop = restOf(progress, at, end)
  bodyBytes(stream, at, stop)
  if (progress.remaining === 0) complete(stream, seqAt(stop))
  return stop
}

function looksLikeResponse(at: usize, end: usize): bool {
  return end - at >= STATUS_LINE_BYTES && scanHead(at, end, true) !== HEAD_INVALID
}

function chunkFraming(stream: MessageStream, at: usize, end: usize): usize {
  const next = readChunkFraming(stream, at, end)
  return next === MALFORMED ? badChunk(stream, end) : next
}

function chunkData(stream: MessageStream, at: usize, end: usize): usize {
  const progress = progressOf(stream)
  const stop = restOf(progress, at, end)
  bodyBytes(stream, at, stop)
  if (progress.remaining === 0) stream.state = CHUNK_DATA_END
  return stop
}

/** Subtracts the available bytes from those that remain. @returns the address after them */
function restOf(progress: Progress, at: usize, end: usize): usize {
  const available = min<i64>(<i64>(end - at), progress.remaining)
  progress.remaining -= available
  return at + <usize>available
}

function trailers(stream: MessageStream, at: usize, end: usize): usize {
  const progress = progressOf(stream)
  const stop = findHeadEnd(progress, at, end)
  const consumed = <i32>((stop === NOT_FOUND ? end : stop) - at)
  progress.wireBytes += consumed
  progress.lineBytes += consumed
  if (stop === NOT_FOUND) return progress.lineBytes > SECTION_BYTES ? badChunk(stream, end) : end
  complete(stream, seqAt(stop))
  return stop
}

function badChunk(stream: MessageStream, end: usize): usize {
  damageMessage(stream, REASON_DOUBTFUL)
  loseStream(stream, REASON_DOUBTFUL)
  return end
}

function bodyBytes(stream: MessageStream, at: usize, end: usize): void {
  const progress = progressOf(stream)
  addWireBytes(progress, <i32>(end - at))
  progress.bodyBytes += <i32>(end - at)
  messageBody(stream, at, end)
}

function complete(stream: MessageStream, seq: i32): void {
  stream.state = HEAD
  completeMessage(stream, seq)
}

/** @param result of the scan that failed */
function loseHead(stream: MessageStream, result: i32): void {
  if (startLineEnd() !== 0) recognise(connectionOf(stream))
  loseStream(stream, result === HEAD_OVERSIZE ? REASON_OVERSIZE : REASON_DOUBTFUL)
}
