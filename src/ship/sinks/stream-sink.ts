/**
 * Pairs to standard output or a file, in one of the output formats. A pair counts as shipped when its bytes have been
 * handed to the kernel.
 *
 * An output that does not accept bytes now (a slow reader, a FIFO without one, a full disk) leaves pairs in the queue,
 * under the buffer's bounds, and is tried again. Where input waits for the output, an error ends the run at once.
 */
import { fileErrorText, runtimeError } from '../../errors.ts'
import type { PairFormat } from '../../format/output-format.ts'
import type { Log } from '../../log/folded-log.ts'
import type { WriteResult } from '../../output/fd-output.ts'
import type { OutputFile } from '../../output/output-file.ts'
import type { PairQueue } from '../pair-queue.ts'
import type { Sink, SinkContext, SinkEnd } from '../sink.ts'
import type { OutputProgress } from '../status.ts'

/** Between two tries: for a slow reader, and after an error. */
const LATER_MS = 10
const RETRY_MS = 1_000
/** How long the end waits for a slow reader. */
const CLOSE_MS = 1_000

export interface StreamSinkOptions {
  output: OutputFile
  format: PairFormat
  context: SinkContext
  log: Log
  /** What is known of the output beyond this thread's life. */
  progress: OutputProgress
  /** Whether an error is retried; otherwise it ends the run. */
  retries: boolean
}

export class StreamSink implements Sink {
  pairs = 0
  readonly byteCount = 0
  away = false
  reachable: boolean | null = null
  /** What is taken is written before the shipper looks again, or waits for the reader. */
  readonly oldestMs = Infinity
  nextDueMs = Infinity
  end: SinkEnd | null = null
  readonly #options: StreamSinkOptions
  #written = 0

  /** @throws InterceptorError when the output cannot be opened */
  constructor(options: StreamSinkOptions) {
    this.#options = options
    if (options.progress.begun) options.format.resume?.(options.progress.pairs > 0)
    const opened = options.output.open()
    if (opened instanceof Error) {
      throw runtimeError(`cannot write ${options.output.name}: ${fileErrorText(opened)}`, { cause: opened })
    }
    if (opened === 'later') options.log.info('the output has no reader yet; pairs wait in the buffer')
  }

  pump(queue: PairQueue, nowMs: number): void {
    if (nowMs < this.nextDueMs && this.nextDueMs !== Infinity) return
    this.nextDueMs = Infinity
    const { output, context, format } = this.#options
    if (!this.#settle(output.flush(), nowMs)) return
    output.turnOver(Date.now())
    if (!this.#settle(output.open(), nowMs) || !this.#begin(nowMs)) return
    const { limit, ledger } = context
    while (ledger.shippedPairs + this.pairs < limit && queue.front()) {
      const text = format.pair(queue.bytes.subarray(queue.start, queue.start + queue.length))
      queue.pop()
      if (text instanceof Error) this.#refuse(text)
      else if (!this.#write(text, nowMs)) return
    }
    // The queue is empty: readers want to see what there is.
    this.#settle(output.flush(), nowMs)
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

  async close(): Promise<void> {
    const { output, format } = this.#options
    const deadline = performance.now() + CLOSE_MS
    const opened = output.open()
    if (this.end === null && opened === 'ok' && this.#begin(0)) output.write(format.end())
    while (this.end === null && output.flush() === 'later' && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, LATER_MS))
    }
    output.close()
    if (this.end === null && this.away) {
      this.end = { kind: 'failed', message: 'the output could not be written to the end' }
    }
  }

  #begin(nowMs: number): boolean {
    const { progress, output, format } = this.#options
    if (progress.begun) return true
    progress.begun = true
    return this.#check(output.write(format.begin()), nowMs)
  }

  #write(text: string | Uint8Array, nowMs: number): boolean {
    const { output } = this.#options
    const result = output.write(text)
    this.pairs += 1
    return output.pending === 0 ? this.#settle(result, nowMs) : this.#check(result, nowMs)
  }

  /** Where all is written, the pairs that were held are shipped. @returns whether to go on */
  #settle(result: WriteResult, nowMs: number): boolean {
    if (!this.#check(result, nowMs)) return false
    const { output, context, progress } = this.#options
    if (output.pending > 0) return true
    context.ledger.shipped(this.pairs, output.written - this.#written)
    progress.pairs += this.pairs
    progress.bytes = output.size
    this.#written = output.written
    this.pairs = 0
    return true
  }

  #check(result: WriteResult, nowMs: number): boolean {
    if (result === 'ok') {
      if (this.away) this.#options.log.info('the output accepts pairs again')
      if (this.away || this.#options.output.written > 0) this.reachable = true
      this.away = false
      return true
    }
    if (result === 'later') this.nextDueMs = nowMs + LATER_MS
    else if (result === 'closed') this.end = { kind: 'closed' }
    else this.#fail(result, nowMs)
    return false
  }

  #fail(error: Error, nowMs: number): void {
    this.reachable = false
    if (!this.#options.retries) {
      this.end = { kind: 'failed', message: `cannot write the output: ${fileErrorText(error)}` }
      return
    }
    this.away = true
    this.nextDueMs = nowMs + RETRY_MS
    this.#options.log.warn(`cannot write the output: ${fileErrorText(error)}; pairs wait in the buffer`)
  }

  #refuse(error: Error): void {
    this.#options.context.ledger.dropped('rejected', 1)
    this.#options.log.warn(`a pair could not be read back and was dropped: ${error.message}`)
  }
}
