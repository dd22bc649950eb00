/**
 * Keeps messages until their exchange is complete: fills in their records, encodes their heads, and stores them and
 * their bodies in the pool. A message that announces more than the limits is abandoned before any of it is stored.
 */
import { ASSEMBLE_COUNTERS } from '../../ledger/counters.ts'
import { REASON_EVICTED, REASON_OVERSIZE, RULE_NONE, RULE_PAIR_BYTES } from '../../ledger/reasons.ts'
import type { MessageWriter } from '../encode/message-writer.ts'
import { STAGE_AT } from '../encode/pair-writer.ts'
import type { Arena } from '../memory/arena.ts'
import { BLOCK_BYTES, type BlockPool } from '../memory/block-pool.ts'
import type { PacketTime } from '../packet-time.ts'
import type { Exchange, MessageRecord, MessageStream } from './connection.ts'
import { HeadDigest } from './digest.ts'
import type { MessageHead } from './message-head.ts'
import type { ExchangeLimits, Outcomes } from './outcomes.ts'
import type { Position } from './position.ts'

const C = ASSEMBLE_COUNTERS.index

export class MessageRecorder {
  readonly #arena: Arena
  readonly #pool: BlockPool
  readonly #head: MessageHead
  readonly #messages: MessageWriter
  readonly #outcomes: Outcomes
  readonly #digest: HeadDigest
  readonly #limits: ExchangeLimits
  readonly #at: Position
  readonly #time: PacketTime
  readonly #counts: Float64Array

  constructor(parts: {
    arena: Arena
    pool: BlockPool
    head: MessageHead
    messages: MessageWriter
    outcomes: Outcomes
    limits: ExchangeLimits
    position: Position
    time: PacketTime
    counts: Float64Array
  }) {
    this.#arena = parts.arena
    this.#pool = parts.pool
    this.#head = parts.head
    this.#messages = parts.messages
    this.#outcomes = parts.outcomes
    this.#digest = new HeadDigest(parts.arena)
    this.#limits = parts.limits
    this.#at = parts.position
    this.#time = parts.time
    this.#counts = parts.counts
  }

  /** Records the head [start, headEnd), which was scanned last. */
  begin(record: MessageRecord, start: number, headEnd: number): void {
    const at = this.#at
    const digest = this.#digest
    digest.compute(start, headEnd, at.headSeq)
    record.digest1 = digest.word1
    record.digest2 = digest.word2
    record.startSeq = at.headSeq
    record.startMicros = at.headMicros
    record.endMicros = this.#time.micros
    record.wireBytes = headEnd - start
    record.bodyBytes = 0
    record.anomalies = this.#head.anomalies
    this.#counts[C.bytesHttp] += headEnd - start
  }

  /** Records the end of the message in progress. @param endSeq sequence number after its last byte */
  finish(record: MessageRecord, stream: MessageStream, endSeq: number): void {
    // After a loss the retransmitted first byte may be captured later than the last one.
    record.endMicros = Math.max(record.startMicros, this.#time.micros)
    record.endSeq = endSeq
    this.#counts[C.bytesHttp] += stream.wireBytes - record.wireBytes
    record.wireBytes = stream.wireBytes
    record.bodyBytes = stream.bodyBytes
  }

  /** Checks the limits as soon as a head announces the size of its body. */
  announce(exchange: Exchange, record: MessageRecord, bodyBytes: number): void {
    const wireBytes = record.wireBytes + bodyBytes
    const other = record === exchange.request ? exchange.responseWireBytes : exchange.request.wireBytes
    if (wireBytes > this.#limits.messageBytes) this.#outcomes.abandon(exchange, REASON_OVERSIZE)
    else if (exchange.rule === RULE_NONE && wireBytes + other > this.#limits.pairBytes) {
      this.#outcomes.filter(exchange, RULE_PAIR_BYTES)
    }
  }

  /** Encodes the head scanned last, and stores it if its pair may be kept. */
  store(exchange: Exchange, record: MessageRecord, isResponse: boolean): void {
    if (exchange.abandoned || exchange.rule !== RULE_NONE) return
    const pool = this.#pool
    const { chain } = record
    let stored: boolean
    const bound = this.#messages.bound(record.wireBytes, this.#digest.nonAscii)
    if (bound <= BLOCK_BYTES) {
      const block = pool.claim(chain, bound)
      stored = block >= 0
      if (stored) pool.filled(chain, this.#messages.head(block, isResponse) - block)
    } else {
      const start = this.#arena.scratch + STAGE_AT
      stored = pool.append(chain, start, this.#messages.head(start, isResponse) - start)
    }
    if (!stored) this.#outcomes.abandon(exchange, REASON_EVICTED)
  }

  /** Stores the body bytes [at, end) of the message in progress. */
  append(stream: MessageStream, exchange: Exchange, at: number, end: number): void {
    if (stream.wireBytes > this.#limits.messageBytes) this.#outcomes.abandon(exchange, REASON_OVERSIZE)
    if (exchange.abandoned || exchange.rule !== RULE_NONE) return
    const record = stream.isResponse ? exchange.response : exchange.request
    const other = stream.isResponse ? exchange.request.wireBytes : exchange.responseWireBytes
    if (stream.wireBytes + other > this.#limits.pairBytes) this.#outcomes.filter(exchange, RULE_PAIR_BYTES)
    else if (!this.#pool.append(record.chain, at, end - at)) this.#outcomes.abandon(exchange, REASON_EVICTED)
  }
}
