/** Counts pairs as shipped and discards them (`-o none`, `ship.sink: none`). */
import type { PairQueue } from '../pair-queue.ts'
import type { SinkContext } from '../sink.ts'
import { UnbufferedSink } from './unbuffered-sink.ts'

export class NoneSink extends UnbufferedSink {
  readonly nextDueMs = Infinity
  readonly #context: SinkContext

  constructor(context: SinkContext) {
    super()
    this.#context = context
  }

  pump(queue: PairQueue): void {
    const { limit, ledger } = this.#context
    while (ledger.shippedPairs < limit && queue.front()) {
      queue.pop()
      queue.settle()
      ledger.shipped(1, queue.length)
    }
  }
}
