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
    const most = limit - ledger.shippedPairs
    let pairs = 0
    let bytes = 0
    for (; pairs < most && queue.front(); pairs += 1) {
      bytes += queue.length
      queue.pop()
    }
    if (pairs === 0) return
    queue.settle()
    ledger.shipped(pairs, bytes)
  }
}
