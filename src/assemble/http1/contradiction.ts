/**
 * Evidence that a message has ended although its framing claims that it continues: a missing length, a transfer coding
 * that the peers interpret differently, a body that was announced and never sent. The peers know where the message
 * ended, and their acknowledgements and next messages show it (docs/pairing.md).
 */
import { seqDiff } from '../tcp/seq.ts'
import type { HttpConnection, MessageStream } from './connection.ts'
import { missedBytes } from './pairing.ts'
import { HEAD_PART, TO_CLOSE } from './stream-states.ts'

/** Responses may have been lost. A single byte missing counts: after a FIN the client would have sent no request. */
const isLossy = (connection: HttpConnection): boolean => connection.responseDoubt || missedBytes(connection) > 0

/** Whether the client, having acknowledged `ack`, continues after a response that would extend to the connection's end. */
export function clientContinues(responses: MessageStream, ack: number): boolean {
  return responses.state === TO_CLOSE && seqDiff(responses.bodySeq, ack) >= 0
}

/**
 * Whether the client has begun another request after it received the beginning of a response whose head is captured
 * only now: so it already knew where that response ends. @param bodySeq the first byte after that head
 */
export const clientHasContinued = ({ begunKnown, begunAck }: HttpConnection, bodySeq: number): boolean =>
  begunKnown && seqDiff(bodySeq, begunAck) >= 0

/**
 * Whether a segment of the client acknowledges the whole response to the request whose body is still believed open. It
 * may have been lost: more than 1xx responses is acknowledged then since the request began.
 */
export function responseCovered({ exchange, connection }: MessageStream, ack: number): boolean {
  if (exchange === null) return false
  if (!exchange.responseBegun) {
    const received = exchange.interimKnown ? exchange.interimSeq : exchange.ackFirst
    return isLossy(connection) && seqDiff(received, ack) > 0
  }
  if (exchange.responseDone) return seqDiff(exchange.response.endSeq, ack) >= 0
  const { responses } = connection
  return responses.exchange === exchange && clientContinues(responses, ack)
}

/**
 * Whether a response has ended since a request head began that is still open, and the client has acknowledged it, or
 * bytes that were lost. With a client that pipelines it may be the response to an earlier request.
 */
export function headOvertaken({ connection, partial }: MessageStream, ack: number): boolean {
  const partialAck = partial.ack
  const { answeredKnown, answeredSeq, responses } = connection
  if (isLossy(connection) && seqDiff(partialAck, ack) > 0) return true
  if (answeredKnown && seqDiff(partialAck, answeredSeq) > 0 && seqDiff(answeredSeq, ack) >= 0) return true
  return clientContinues(responses, ack) && seqDiff(partialAck, responses.bodySeq) > 0
}

/** Whether that response was not to an earlier request: none was waiting for it. */
export function headAnswered({ connection, partial }: MessageStream): boolean {
  const partialAck = partial.ack
  const { orphanKnown, orphanSeq, responses } = connection
  if (orphanKnown && seqDiff(partialAck, orphanSeq) > 0) return true
  return responses.state === TO_CLOSE && responses.exchange === null
}

/**
 * Whether a segment of the server begins where the response to the next waiting request has to begin, and acknowledges
 * some of that request, while another response is still believed open.
 */
export function answersNext({ state, connection }: MessageStream, seq: number, ack: number): boolean {
  const { first } = connection
  // While its head is open, the request that a response answers is still the first one.
  const next = state === HEAD_PART && first !== null ? first.next : first
  if (next === null) return false
  return (next.ackFirst === seq || next.ackLast === seq) && seqDiff(next.request.startSeq, ack) > 0
}
