/**
 * Pairs to standard output or a file, in one of the output formats. What is in the queue is written at once; a pair
 * counts as shipped when its bytes have been handed to the kernel.
 */
import { fileErrorText } from '../../errors.ts'
import type { PairFormat } from '../../format/output-format.ts'
import type { Log } from '../../log/folded-log.ts'
import type { FdOutput, WriteResult } from '../../output/fd-output.ts'
import type { PairQueue } from '../pair-queue.ts'
import type { Sink, SinkContext, SinkEnd } from '../sink.ts'

export class StreamSink implements Sink {
  pairs = 0
  readonly byteCount = 0
  readonly away = false
  /** What is taken is written before the shipper looks again. */
  readonly oldestMs = Infinity
  readonly nextDueMs = Infinity
  end: SinkEnd | null = null
  readonly #output: FdOutput
  readonly #format: PairFormat
  readonly #context: SinkContext
  readonly #log: Log
  #begun = false
  #written = 0

  constructor(output: FdOutput, format: PairFormat, context: SinkContext, log: Log) {
    this.#output = output
    this.#format = format
    this.#context = context
    this.#log = log
  }

  get reachable(): boolean | null {
    if (this.end !== null) return false
    return this.#output.written > 0 ? true : null
  }

  pump(queue: PairQueue): void {
    if (!this.#begun) this.#begin()
    const { limit, ledger } = this.#context
    while (this.end === null && ledger.shippedPairs + this.pairs < limit && queue.front()) {
      const text = this.#format.pair(queue.bytes.subarray(queue.start, queue.start + queue.length))
      queue.pop()
      if (text instanceof Error) this.#refuse(text)
      else this.#write(text)
    }
    // Nothing more for now: whoever watches wants to see what there is.
    if (this.end === null) this.#settle(this.#output.flush())
  }

  flush(): void {}

  dropOlder(): number {
    return 0
  }

  dropOver(): number {
    return 0
  }

  discard(): number {
    const { pairs } = this
    this.pairs = 0
    return pairs
  }

  close(): Promise<void> {
    if (!this.#begun) this.#begin()
    if (this.end === null) this.#outcome(this.#output.write(this.#format.end()))
    if (this.end === null) this.#outcome(this.#output.flush())
    this.#output.close()
    return Promise.resolve()
  }

  #begin(): void {
    this.#begun = true
    this.#outcome(this.#output.write(this.#format.begin()))
  }

  #write(text: string | Uint8Array): void {
    this.#outcome(this.#output.write(text))
    this.pairs += 1
    // Only what does not wait in the buffer has surely left; the rest is settled by the flush that follows.
    if (this.#output.pending === 0) this.#settle('ok')
  }

  /** The bytes of all held pairs have been written, or never will be. */
  #settle(result: WriteResult): void {
    this.#outcome(result)
    if (this.end !== null) return
    this.#context.ledger.shipped(this.pairs, this.#output.written - this.#written)
    this.#written = this.#output.written
    this.pairs = 0
  }

  #refuse(error: Error): void {
    this.#context.ledger.dropped('rejected', 1)
    this.#log.warn(`a pair could not be read back and was left out: ${error.message}`)
  }

  #outcome(result: WriteResult): void {
    if (result === 'ok') return
    this.end =
      result === 'closed'
        ? { kind: 'closed' }
        : { kind: 'failed', message: `cannot write the output: ${fileErrorText(result)}` }
  }
}
