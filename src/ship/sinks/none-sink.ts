/** Counts pairs as shipped and discards them (`-o none`, `ship.sink: none`). */
import type { CounterCell } from '../../ledger/ship-ledger.ts'
import type { PairQueue } from '../pair-queue.ts'
import type { PairSource } from '../pair-source.ts'
import type { SinkContext } from '../sink.ts'
import { UnbufferedSink } from './unbuffered-sink.ts'

export class NoneSink extends UnbufferedSink {
  readonly nextDueMs = Infinity
  readonly #context: SinkContext
  readonly #shipped: CounterCell

  constructor(context: SinkContext) {
    super()
    this.#context = context
    this.#shipped = context.ledger.cell('shipped')
  }

  pump(queue: PairQueue): void {
    this.take(queue)
  }

  take(pairs: PairSource): void {
    const { limit, ledger } = this.#context
    const { counts, index } = this.#shipped
    let bytes = 0
    while (counts[index] < limit && pairs.front()) {
      pairs.take()
      counts[index] += 1
      bytes += pairs.length
    }
    ledger.shippedBytes(bytes)
  }
}
