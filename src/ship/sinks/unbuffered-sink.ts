/** The base of sinks that hold no pairs: each pair that they remove from the queue is shipped at once, and none can fail. */
import type { PairQueue } from '../pair-queue.ts'
import type { Sink } from '../sink.ts'

export abstract class UnbufferedSink implements Sink {
  readonly pairs = 0
  readonly obstacle = null
  readonly byteCount = 0
  readonly down = false
  readonly awaitsReader = false
  readonly oldestMs = Infinity
  readonly reachable = true
  readonly end = null
  abstract readonly nextDueMs: number

  abstract pump(queue: PairQueue, nowMs: number): void

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
