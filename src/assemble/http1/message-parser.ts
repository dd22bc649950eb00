/**
 * The framing of HTTP/1 messages (RFC 9112 §6 and §7): splits a stream into heads, bodies and ends, at any segment
 * boundaries, and reports when it has lost its place. The handler decides which request a response belongs to, and so
 * whether it has a body.
 */

import { REASON_DOUBTFUL, REASON_EVICTED, REASON_GAP, REASON_OVERSIZE } from '../../ledger/reasons.ts'
import { HEAD_COMPLETE, HEAD_INCOMPLETE, HEAD_INVALID, HEAD_OVERSIZE } from '../head-scanner/layout.ts'
import type { Arena } from '../memory/arena.ts'
import type { BlockPool } from '../memory/block-pool.ts'
import type { PacketTime } from '../packet-time.ts'
import { MALFORMED, readChunkFraming, SECTION_BYTES } from './chunked.ts'
import type { HttpConnection, MessageStream } from './connection.ts'
import type { MessageHead } from './message-head.ts'
import type { Position } from './position.ts'
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
} from './stream-states.ts'
import { CR, LF, skipEmptyLines } from './text.ts'

/** Receives messages. Addresses are into the arena and valid during the call. */
export interface MessageHandler {
  /**
   * A head is complete and scanned (see MessageHead). Sets the stream's state for what follows, and may consume the
   * body.
   *
   * @param start, headEnd the head; @param bodyStart, end the available bytes after it
   * @returns the address to continue at: `bodyStart` or a later one
   */
  head(stream: MessageStream, start: number, headEnd: number, bodyStart: number, end: number): number
  /** Body bytes without chunk framing. */
  body(stream: MessageStream, at: number, end: number): void
  /** A start line proves that the connection carries HTTP/1, even if no valid head follows. */
  recognise(connection: HttpConnection): void
  /** A request begins in the current segment; its head may be incomplete, or prove to be none. */
  requestBegins(stream: MessageStream): void
  /** The message is complete, and the parser continues in HEAD. `seq` is the number of the first byte after it. */
  complete(stream: MessageStream, seq: number): void
  /** Part of the message in progress is lost or its end is unknown: it cannot become part of a pair. */
  damaged(stream: MessageStream, reason: number): void
  /** The stream ends at `seq`, before the body of its message does. @param reason why the stream ends */
  cutShort(stream: MessageStream, seq: number, reason: number): void
  /** The stream has lost its place and will seek. An unknown number of messages may be missing here. */
  lost(stream: MessageStream, reason: number): void
  /**
   * Whether sequence numbers contradict that the message in progress continues with the current segment, which begins
   * at `seq`.
   */
  contradicts(stream: MessageStream, seq: number): boolean
  /** Whether the server has answered a request whose head is still open. */
  isAnswered(stream: MessageStream): boolean
  /** Another message provably begins with this segment, which confirms `contradicts`. */
  contradicted(stream: MessageStream): void
  /** The body of a request begins with what may as well be the next request. */
  suspect(stream: MessageStream): void
}

export class MessageParser {
  readonly #arena: Arena
  readonly #pool: BlockPool
  readonly #head: MessageHead
  readonly #handler: MessageHandler
  readonly #time: PacketTime
  readonly #headBytes: number
  readonly #position: Position

  /** @param headBytes the longest head that is kept while incomplete; at most the arena's head region */
  constructor(
    arena: Arena,
    pool: BlockPool,
    head: MessageHead,
    handler: MessageHandler,
    time: PacketTime,
    position: Position,
    headBytes: number,
  ) {
    this.#arena = arena
    this.#pool = pool
    this.#head = head
    this.#handler = handler
    this.#time = time
    this.#position = position
    this.#headBytes = headBytes
  }

  /** Parses the next in-order bytes [at, end) of a stream. */
  data(stream: MessageStream, at: number, end: number, seq: number, ack: number): void {
    this.#position.base = (seq - at) | 0
    this.#position.ack = ack
    let p = at
    if (stream.state === SEEK) p = this.#seek(stream, at, end)
    else if (stream.state >= HEAD_PART && stream.state !== OPAQUE) this.#checkProgress(stream, at, end, seq)
    const isInside = stream.state >= HEAD_PART && stream.state !== OPAQUE
    while (p < end) p = this.#step(stream, p, end)
    // The message that misled the parser began before this segment, and may have ended there.
    if (isInside && stream.state === SEEK) {
      p = this.#seek(stream, at, end)
      while (p < end) p = this.#step(stream, p, end)
    }
    stream.lastAck = ack
    stream.ackKnown = true
  }

  /**
   * Handles `bytes` bytes of the stream that will never arrive. Within a body or chunk of known length they are
   * counted; elsewhere the stream loses its place.
   *
   * @param seq sequence number of the first byte after them
   */
  gap(stream: MessageStream, bytes: number, seq: number): void {
    const state = stream.state
    if (state === OPAQUE) return
    this.#position.ack = stream.lastAck
    if (state >= COUNTED) {
      this.#handler.damaged(stream, REASON_GAP)
      stream.wireBytes += bytes
      if (state === TO_CLOSE) return
    }
    const counted = state === COUNTED || state === CHUNK_DATA
    if (!counted || bytes > stream.remaining) {
      this.lose(stream, REASON_GAP)
      return
    }
    stream.remaining -= bytes
    stream.lengthUnsure = false
    if (stream.remaining > 0) return
    if (state === COUNTED) this.#complete(stream, seq)
    else stream.state = CHUNK_DATA_END
  }

  /**
   * The stream ends. A body that only the end delimits is complete if the end is proper, and so is a chunked one that
   * lacks no more than the empty line after its last chunk.
   *
   * @param proper a FIN in sequence; @param reason why an incomplete message is abandoned
   * @param seq sequence number after the last byte
   */
  end(stream: MessageStream, proper: boolean, reason: number, seq: number): void {
    this.#position.ack = stream.lastAck
    // The last chunk ends the body (RFC 9112 §8); the empty line after it is missing where a server closes at once.
    const whole = stream.state === TO_CLOSE || (stream.state === TRAILERS && stream.lineBytes === 0)
    if (whole && proper) this.#handler.complete(stream, seq)
    else if (stream.state >= COUNTED && stream.state !== OPAQUE) this.#handler.cutShort(stream, seq, reason)
    else if (stream.state === HEAD_PART && stream.isResponse) this.#handler.lost(stream, reason)
    stream.freePartial(this.#pool)
    stream.state = OPAQUE
  }

  #step(stream: MessageStream, p: number, end: number): number {
    switch (stream.state) {
      case HEAD:
        return this.#headBegins(stream, p, end)
      case HEAD_PART:
        return this.#headPart(stream, p, end)
      case COUNTED:
        return this.#counted(stream, p, end)
      case CHUNK_SIZE:
      case CHUNK_EXTENSION:
      case CHUNK_SIZE_END:
      case CHUNK_DATA_END:
        return this.#chunkFraming(stream, p, end)
      case CHUNK_DATA:
        return this.#chunkData(stream, p, end)
      case TRAILERS:
        return this.#trailers(stream, p, end)
      case TO_CLOSE:
        this.#body(stream, p, end)
        return end
      default:
        return end
    }
  }

  /** A message start is provable at the beginning of a segment only. */
  #seek(stream: MessageStream, at: number, end: number): number {
    if (!this.#head.begins(at, end, stream.isResponse)) return end
    stream.state = HEAD
    return at
  }

  /** The peers may know that the message in progress has ended, although its framing claims that it continues. */
  #checkProgress(stream: MessageStream, at: number, end: number, seq: number): void {
    const handler = this.#handler
    const { isResponse, state } = stream
    if (!handler.contradicts(stream, seq)) {
      // The segments of the two directions may be captured out of order: the response may show it later.
      const isBodyStart = !isResponse && state !== HEAD_PART && stream.bodyBytes === 0
      if (isBodyStart && isUpperCase(this.#arena.bytes[at]) && this.#restarts(stream, at, end)) handler.suspect(stream)
      return
    }
    const head = this.#head
    if (this.#restarts(stream, at, end)) this.#restart(stream)
    else if (this.#mayRestart(stream, at, end, seq)) {
      const unsent = state === COUNTED ? stream.remaining : 0
      this.#restart(stream)
      stream.partial.unsentBytes = unsent
    } else if (
      state === HEAD_PART
        ? handler.isAnswered(stream)
        : !this.#bodyContinues(stream, at, end) && head.mayBegin(at, end, isResponse)
    ) {
      this.lose(stream, REASON_DOUBTFUL)
    }
  }

  #restart(stream: MessageStream): void {
    stream.freePartial(this.#pool)
    stream.state = HEAD
    this.#handler.contradicted(stream)
  }

  /** Whether a message provably begins at `at`, and not after the rest of the body in progress. */
  #restarts(stream: MessageStream, at: number, end: number): boolean {
    const head = this.#head
    if (!head.begins(at, end, stream.isResponse) || !(stream.isResponse || head.isMethod(at, end))) return false
    return !this.#bodyContinues(stream, at, end)
  }

  /**
   * Whether a request may begin at `at` whose head the segment cuts: in place of a body of which nothing was sent, or of
   * the rest of a head that was answered. The whole head has to prove it.
   */
  #mayRestart(stream: MessageStream, at: number, end: number, seq: number): boolean {
    if (stream.isResponse) return false
    const isOver = stream.state === HEAD_PART ? this.#handler.isAnswered(stream) : seq === stream.bodySeq
    return isOver && this.#head.isCutRequest(at, end)
  }

  /**
   * Whether the rest of a counted body is at `at`, directly followed by the next message. Together the two may look
   * like a request with an unknown method.
   */
  #bodyContinues({ state, remaining, isResponse }: MessageStream, at: number, end: number): boolean {
    if (!isResponse && this.#head.isStandardMethod(at)) return false
    return state === COUNTED && at + remaining < end && this.#head.begins(at + remaining, end, isResponse)
  }

  #headBegins(stream: MessageStream, at: number, end: number): number {
    const start = skipEmptyLines(this.#arena.bytes, at, end)
    if (start === end) return end
    if (!stream.isResponse) this.#handler.requestBegins(stream)
    const result = this.#head.scan(start, end, stream.isResponse)
    if (result === HEAD_COMPLETE) {
      const position = this.#position
      position.headSeq = position.seqAt(start)
      position.headAck = position.ack
      position.headMicros = this.#time.micros
      stream.state = HEAD
      return this.#handleHead(stream, start, this.#head.end, this.#head.end, end)
    }
    if (result !== HEAD_INCOMPLETE) {
      this.#loseHead(stream, result)
      return end
    }
    if (this.#head.startLineEnd !== 0) this.#handler.recognise(stream.connection)
    const { partial } = stream
    partial.seq = this.#position.seqAt(start)
    partial.ack = this.#position.ack
    partial.micros = this.#time.micros
    stream.eol = 0
    stream.state = HEAD_PART
    return this.#headPart(stream, start, end)
  }

  #headPart(stream: MessageStream, at: number, end: number): number {
    const headEnd = this.#findHeadEnd(stream, at, end)
    const stop = headEnd < 0 ? end : headEnd
    const { partial } = stream
    const { chain } = partial
    if (chain.length + stop - at > this.#headBytes) {
      this.lose(stream, REASON_OVERSIZE)
      return end
    }
    if (!this.#pool.append(chain, at, stop - at)) {
      this.lose(stream, REASON_EVICTED)
      return end
    }
    if (headEnd < 0) return end
    const start = this.#arena.heads
    const { length } = chain
    this.#pool.copyOut(chain, start)
    this.#pool.free(chain)
    // The body that was believed unsent may have been sent after all, and the head that ends here follows it.
    const unsent = partial.unsentBytes
    partial.unsentBytes = 0
    if (unsent > 0 && unsent < length && this.#head.begins(start + unsent, start + length, false)) {
      this.lose(stream, REASON_DOUBTFUL)
      return end
    }
    const result = this.#head.scan(start, start + length, stream.isResponse)
    if (result !== HEAD_COMPLETE) {
      this.#loseHead(stream, result)
      return end
    }
    const position = this.#position
    position.headSeq = partial.seq
    position.headAck = partial.ack
    position.headMicros = partial.micros
    stream.state = HEAD
    return this.#handleHead(stream, start, start + length, headEnd, end)
  }

  #handleHead(stream: MessageStream, start: number, headEnd: number, bodyStart: number, end: number): number {
    stream.wireBytes = headEnd - start
    stream.bodyBytes = 0
    stream.lengthUnsure = false
    stream.lineBytes = 0
    return this.#handler.head(stream, start, headEnd, bodyStart, end)
  }

  /** @returns the address after the empty line that ends a head or trailer section, or -1 */
  #findHeadEnd(stream: MessageStream, at: number, end: number): number {
    const bytes = this.#arena.bytes
    let eol = stream.eol
    for (let i = at; i < end; i++) {
      const c = bytes[i]
      if (c === LF) {
        if (eol !== 0) {
          stream.eol = 0
          return i + 1
        }
        eol = 1
      } else if (c === CR && eol === 1) eol = 2
      else eol = 0
    }
    stream.eol = eol
    return -1
  }

  #counted(stream: MessageStream, at: number, end: number): number {
    const { ack } = this.#position
    if (stream.lengthUnsure && this.#looksLikeResponse(at, end)) {
      stream.lengthUnsure = false
      // It had ended with the segment before.
      this.#position.ack = stream.lastAck
      this.#complete(stream, this.#position.seqAt(at))
      this.#position.ack = ack
      return at
    }
    stream.lengthUnsure = false
    const stop = Math.min(end, at + stream.remaining)
    stream.remaining -= stop - at
    this.#body(stream, at, stop)
    if (stream.remaining === 0) this.#complete(stream, this.#position.seqAt(stop))
    return stop
  }

  #looksLikeResponse(at: number, end: number): boolean {
    return end - at >= 12 && this.#head.scan(at, end, true) !== HEAD_INVALID
  }

  #chunkFraming(stream: MessageStream, at: number, end: number): number {
    const next = readChunkFraming(this.#arena.bytes, stream, at, end)
    return next === MALFORMED ? this.#badChunk(stream, end) : next
  }

  #chunkData(stream: MessageStream, at: number, end: number): number {
    const stop = Math.min(end, at + stream.remaining)
    stream.remaining -= stop - at
    this.#body(stream, at, stop)
    if (stream.remaining === 0) stream.state = CHUNK_DATA_END
    return stop
  }

  #trailers(stream: MessageStream, at: number, end: number): number {
    const stop = this.#findHeadEnd(stream, at, end)
    const consumed = (stop < 0 ? end : stop) - at
    stream.wireBytes += consumed
    stream.lineBytes += consumed
    if (stop < 0) return stream.lineBytes > SECTION_BYTES ? this.#badChunk(stream, end) : end
    this.#complete(stream, this.#position.seqAt(stop))
    return stop
  }

  #badChunk(stream: MessageStream, end: number): number {
    this.#handler.damaged(stream, REASON_DOUBTFUL)
    this.lose(stream, REASON_DOUBTFUL)
    return end
  }

  #body(stream: MessageStream, at: number, end: number): void {
    stream.wireBytes += end - at
    stream.bodyBytes += end - at
    this.#handler.body(stream, at, end)
  }

  #complete(stream: MessageStream, seq: number): void {
    stream.state = HEAD
    this.#handler.complete(stream, seq)
  }

  /** @param result of the scan that failed */
  #loseHead(stream: MessageStream, result: number): void {
    if (this.#head.startLineEnd !== 0) this.#handler.recognise(stream.connection)
    this.lose(stream, result === HEAD_OVERSIZE ? REASON_OVERSIZE : REASON_DOUBTFUL)
  }

  /** The stream's place is lost, or what it holds of a head is dropped. @param reason a REASON_ value */
  lose(stream: MessageStream, reason: number): void {
    stream.freePartial(this.#pool)
    stream.state = SEEK
    this.#handler.lost(stream, reason)
  }
}

const isUpperCase = (c: number): boolean => c >= 65 && c <= 90

/** Prepares a stream for a body of `length` bytes. */
export function expectCounted(stream: MessageStream, length: number): void {
  stream.state = COUNTED
  stream.remaining = length
}

/** Prepares a stream for a body that ends with the stream. */
export function expectToClose(stream: MessageStream): void {
  stream.state = TO_CLOSE
}
