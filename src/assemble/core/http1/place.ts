/**
 * The place of a stream: whether the parser knows where in a message the next byte is. It loses its place at a gap, at bytes that
 * are not HTTP, and where the peers' acknowledgements and next messages contradict the framing (contradiction.ts).
 *
 *     in place ──gap, malformed, contradicted by the peers──▶ SEEK ──a segment provably begins with a message──▶ in place
 *         └────contradicted, and this segment provably begins the next message────▶ HEAD, in place
 *
 * Invariant: a stream leaves SEEK at the beginning of a segment that provably begins with a message (`beginsMessage`: a complete
 * start line and a header field), or where a handshake that was captured late shows that nothing precedes its first message
 * (`beginBoth` in doubts.ts). So bytes of a body are never parsed as a message.
 */
import { REASON_DOUBTFUL } from '../reasons'
import { connectionOf, freePartial, MessageStream, progressOf } from './connection'
import { contradicted, contradicts, isAnswered, losePlace, suspectBody } from './exchanges'
import { beginsMessage, isCutRequest, isMethod, isStandardMethod, mayBeginMessage } from './head'
import { seqAt } from './position'
import { noteResponsePart } from './proof'
import { COUNTED, HEAD, HEAD_PART, OPAQUE, SEEK } from './stream-states'

/** The stream's place is lost, or what it holds of a head is dropped. @param reason a REASON_ value */
export function loseStream(stream: MessageStream, reason: i8): void {
  freePartial(stream)
  stream.state = SEEK
  losePlace(stream, reason)
}

/** Whether the next byte belongs to a message that began in an earlier segment. */
export function isInsideMessage(stream: MessageStream): bool {
  return stream.state >= HEAD_PART && stream.state !== OPAQUE
}

/** A message start is provable at the beginning of a segment only. */
export function seek(stream: MessageStream, at: usize, end: usize): usize {
  if (!beginsMessage(at, end, stream.isResponse)) {
    if (stream.isResponse && !mayBeginMessage(at, end, true)) {
      noteResponsePart(connectionOf(stream), seqAt(at), seqAt(end))
    }
    return end
  }
  stream.state = HEAD
  return at
}

/** The peers may know that the message in progress has ended, although its framing claims that it continues. */
export function checkProgress(stream: MessageStream, at: usize, end: usize, seq: i32): void {
  const isResponse = stream.isResponse
  const state = stream.state
  if (!contradicts(stream, seq)) {
    // The segments of the two directions may be captured out of order: the response may show it later.
    const isBodyStart = !isResponse && state !== HEAD_PART && progressOf(stream).bodyBytes === 0
    if (isBodyStart && isUpperCase(load<u8>(at)) && restarts(stream, at, end)) suspectBody(stream)
    return
  }
  if (restarts(stream, at, end)) restart(stream)
  else if (mayRestart(stream, at, end, seq)) {
    const unsent = state === COUNTED ? progressOf(stream).remaining : 0
    restart(stream)
    progressOf(stream).unsentBytes = unsent
  } else if (
    state === HEAD_PART ? isAnswered(stream) : !bodyContinues(stream, at, end) && mayBeginMessage(at, end, isResponse)
  ) {
    loseStream(stream, REASON_DOUBTFUL)
  }
}

function restart(stream: MessageStream): void {
  freePartial(stream)
  stream.state = HEAD
  contradicted(stream)
}

/** Whether a message provably begins at `at`, and not after the rest of the body in progress. */
function restarts(stream: MessageStream, at: usize, end: usize): bool {
  if (!beginsMessage(at, end, stream.isResponse) || !(stream.isResponse || isMethod(at, end))) return false
  return !bodyContinues(stream, at, end)
}

/**
 * Whether a request may begin at `at` whose head the segment cuts: in place of a body of which nothing was sent, or of
 * the rest of a head that was answered. The whole head has to prove it.
 */
function mayRestart(stream: MessageStream, at: usize, end: usize, seq: i32): bool {
  if (stream.isResponse) return false
  const isOver = stream.state === HEAD_PART ? isAnswered(stream) : seq === progressOf(stream).bodySeq
  return isOver && isCutRequest(at, end)
}

/**
 * Whether the rest of a counted body is at `at`, directly followed by the next message. Together the two may look
 * like a request with an unknown method.
 */
function bodyContinues(stream: MessageStream, at: usize, end: usize): bool {
  const isResponse = stream.isResponse
  if (!isResponse && isStandardMethod(at)) return false
  if (stream.state !== COUNTED) return false
  const remaining = progressOf(stream).remaining
  if (remaining >= <i64>(end - at)) return false
  return beginsMessage(at + <usize>remaining, end, isResponse)
}

function isUpperCase(c: u8): bool {
  return c >= 65 && c <= 90
}
