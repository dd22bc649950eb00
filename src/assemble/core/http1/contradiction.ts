/**
 * Evidence that a message has ended although its framing claims that it continues: a missing length, a transfer coding
 * that the peers interpret differently, a body that was announced and never sent. The peers know where the message
 * ended, and their acknowledgements and next messages show it (docs/pairing.md).
 */
import { seqDiff } from '../tcp/seq'
import {
  behind,
  Connection,
  connectionOf,
  doubtsOf,
  exchangeOf,
  MessageStream,
  progressOf,
  requestOf,
  responseOf,
  responsesOf,
} from './connection'
import { missedBytes } from './pairing'
import { HEAD_PART, TO_CLOSE } from './stream-states'

/** Responses may have been lost. A single byte missing counts: after a FIN the client would have sent no request. */
function isLossy(connection: Connection): bool {
  return connection.responseDoubt || missedBytes(connection) > 0
}

/** Whether the client, having acknowledged `ack`, continues after a response that would extend to the connection's end. */
export function clientContinues(responses: MessageStream, ack: i32): bool {
  return responses.state === TO_CLOSE && seqDiff(progressOf(responses).bodySeq, ack) >= 0
}

/**
 * Whether the client has begun another request after it received the beginning of a response whose head is captured
 * only now: so it already knew where that response ends. @param bodySeq the first byte after that head
 */
export function clientHasContinued(connection: Connection, bodySeq: i32): bool {
  return connection.begunKnown && seqDiff(bodySeq, connection.begunAck) >= 0
}

/**
 * Whether a segment of the client acknowledges the whole response to the request whose body is still believed open. It
 * may have been lost: more than 1xx responses is acknowledged then since the request began.
 */
export function responseCovered(stream: MessageStream, ack: i32): bool {
  const exchange = exchangeOf(stream)
  if (exchange === null) return false
  const connection = connectionOf(stream)
  if (!exchange.responseBegun) {
    const received = exchange.interimKnown ? exchange.interimSeq : exchange.ackFirst
    return isLossy(connection) && seqDiff(received, ack) > 0
  }
  if (exchange.responseDone) return seqDiff(responseOf(exchange).endSeq, ack) >= 0
  const responses = responsesOf(connection)
  return exchangeOf(responses) === exchange && clientContinues(responses, ack)
}

/**
 * Whether a response has ended since a request head began that is still open, and the client has acknowledged it, or
 * bytes that were lost. With a client that pipelines it may be the response to an earlier request.
 */
export function headOvertaken(stream: MessageStream, ack: i32): bool {
  const connection = connectionOf(stream)
  const partialAck = progressOf(stream).partialAck
  if (isLossy(connection) && seqDiff(partialAck, ack) > 0) return true
  const answeredSeq = connection.answeredSeq
  if (connection.answeredKnown && seqDiff(partialAck, answeredSeq) > 0 && seqDiff(answeredSeq, ack) >= 0) return true
  const responses = responsesOf(connection)
  return clientContinues(responses, ack) && seqDiff(partialAck, progressOf(responses).bodySeq) > 0
}

/** Whether that response was not to an earlier request: none was waiting for it. */
export function headAnswered(stream: MessageStream): bool {
  const connection = connectionOf(stream)
  if (connection.orphanKnown && seqDiff(progressOf(stream).partialAck, doubtsOf(connection).orphanSeq) > 0) return true
  const responses = responsesOf(connection)
  return responses.state === TO_CLOSE && exchangeOf(responses) === null
}

/**
 * Whether a segment of the server begins where the response to the next waiting request has to begin, and acknowledges
 * some of that request, while another response is still believed open.
 */
export function answersNext(stream: MessageStream, seq: i32, ack: i32): bool {
  const connection = connectionOf(stream)
  const first = connection.first
  // While its head is open, the request that a response answers is still the first one.
  const next = stream.state === HEAD_PART && first !== null ? behind(connection, first) : first
  if (next === null) return false
  return (next.ackFirst === seq || next.ackLast === seq) && seqDiff(requestOf(next).startSeq, ack) > 0
}
