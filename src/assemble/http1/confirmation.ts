/**
 * Complete pairs that have to be confirmed before they are emitted:
 *
 * - a pair that was matched by sequence numbers (see pairing.ts) waits for the client's next request;
 * - a pair whose client has sent new bytes before the response seemed complete waits for the server's next response, which
 *   has to begin right after it. Otherwise the client pipelines, or the response was read past its end.
 *
 * At most one pair of a connection waits for each of the two.
 */

import { REASON_DOUBTFUL, REASON_OVERSIZE } from '../../ledger/reasons.ts'
import type { PacketTime } from '../packet-time.ts'
import type { Exchange, HttpConnection } from './connection.ts'
import type { Outcomes } from './outcomes.ts'

export class Confirmation {
  readonly #outcomes: Outcomes
  readonly #time: PacketTime

  constructor(outcomes: Outcomes, time: PacketTime) {
    this.#outcomes = outcomes
    this.#time = time
  }

  /** Both messages are complete: emits the pair, or waits for its confirmation. */
  conclude(exchange: Exchange): void {
    const { connection } = exchange
    if (connection === null) return
    if (exchange.contested) {
      this.#contest(connection, exchange)
      return
    }
    if (!exchange.unconfirmed) {
      this.#outcomes.emit(exchange)
      return
    }
    connection.confirming = exchange
    if (connection.first !== null) this.resolve(connection, connection.first.ackFirst)
    else this.#outcomes.startDeadline(exchange, this.#time.start)
  }

  /**
   * What follows this exchange's request is no request, or was lost: then nothing shows where the response ends.
   *
   * @param reason REASON_DOUBTFUL, or why it was lost
   */
  forgo(exchange: Exchange, reason: number): void {
    exchange.contested = true
    if (reason !== REASON_DOUBTFUL) this.#outcomes.abandon(exchange, reason)
  }

  /** A message of an abandoned exchange is complete. If it is a contested response, nothing will confirm its end. */
  completeAbandoned(exchange: Exchange, isResponse: boolean): void {
    const { connection } = exchange
    if (connection === null) return
    // A message that is only too large was framed like any other, so the next response begins where it ends.
    const isContested = isResponse && exchange.contested && exchange.reason !== REASON_OVERSIZE
    if (isContested && connection.first?.ackFirst !== exchange.response.endSeq)
      connection.doubtResponses(exchange.reason)
    this.#outcomes.settle(exchange)
  }

  #contest(connection: HttpConnection, exchange: Exchange): void {
    const { first } = connection
    const { endSeq } = exchange.response
    // The segments of the two directions were captured out of order: the client had received just this response.
    if (first !== null && first.ackFirst === endSeq) this.#outcomes.emit(exchange)
    else if (exchange.unconfirmed) this.#outcomes.abandon(exchange, REASON_DOUBTFUL)
    else {
      connection.contested = exchange
      this.#outcomes.startDeadline(exchange, this.#time.start)
    }
  }

  /**
   * Another response begins at `seq`, or the stream ends there: right behind the last response, if that was read
   * rightly.
   */
  uphold(connection: HttpConnection, seq: number): void {
    const exchange = connection.contested
    if (exchange === null) return
    if (exchange.response.endSeq !== seq) {
      this.reject(connection)
      return
    }
    connection.contested = null
    this.#outcomes.stopDeadline(exchange)
    this.#outcomes.emit(exchange)
  }

  /** What follows the last response is not another one. */
  reject(connection: HttpConnection): void {
    const exchange = connection.contested
    if (exchange === null) return
    connection.contested = null
    connection.doubtResponses(REASON_DOUBTFUL)
    this.#outcomes.abandon(exchange, REASON_DOUBTFUL)
  }

  /** The client has sent its next request. @param ack acknowledgement number of that request */
  resolve(connection: HttpConnection, ack: number): void {
    const exchange = connection.confirming
    if (exchange === null) return
    if (exchange.response.endSeq === ack) this.#confirm(connection)
    else this.refute(connection)
  }

  /** The server has sent another response although no other request was seen: the client pipelines. */
  refute(connection: HttpConnection): void {
    if (connection.confirming === null) return
    connection.pipelining = true
    this.doubt(connection, REASON_DOUBTFUL)
  }

  /**
   * The client sends no further request. The match stands if nothing of the connection is missing, or if the server has
   * closed its stream right after the response, having answered all requests. A server that announces the close in its
   * response, or ends the response by it, may have left pipelined requests unanswered: the response may belong to one in
   * front of the capture, or in a gap.
   */
  settle(connection: HttpConnection, closed: boolean): void {
    const { flow, confirming } = connection
    const isWhole = flow !== null && !flow.lossy && (!flow.midstream || beginsAtZero(confirming))
    if (isWhole || (closed && !confirming?.closes)) this.#confirm(connection)
    else this.doubt(connection, REASON_DOUBTFUL)
  }

  /** What would have confirmed or refuted the match is lost. @param reason why, a REASON_ value */
  doubt(connection: HttpConnection, reason: number): void {
    const exchange = connection.confirming
    if (exchange === null) return
    connection.confirming = null
    connection.doubtResponses(reason)
    this.#outcomes.abandon(exchange, REASON_DOUBTFUL)
  }

  #confirm(connection: HttpConnection): void {
    const exchange = connection.confirming
    if (exchange === null) return
    connection.confirming = null
    this.#outcomes.stopDeadline(exchange)
    this.#outcomes.emit(exchange)
  }
}

/** Captures made by hand number from 0 and leave out the handshake: nothing was sent before this request. */
const beginsAtZero = (exchange: Exchange | null): boolean =>
  exchange !== null && exchange.request.startSeq === 0 && exchange.ackFirst === 0
