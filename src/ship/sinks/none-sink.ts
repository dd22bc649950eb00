/** Counts pairs as shipped and discards them (`-o none`, `ship.sink: none`). */
import type { PairQueue } from '../pair-queue.ts'
import type { Sink, SinkContext } from '../sink.ts'

export class NoneSink implements Sink {
  readonly pairs = 0
  readonly byteCount = 0
  readonly down = false
  readonly oldestMs = Infinity
  readonly reachable = true
  readonly end = null
  readonly nextDueMs = Infinity
  readonly #context: SinkContext

  constructor(context: SinkContext) {
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

  flush(): void {}

  dropOlder(): number {
    return 0
  }

  dropOver(): number {
    return 0
  }

  discard(): number {
    return 0
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
