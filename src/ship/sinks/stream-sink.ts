/**
 * Writes pairs to standard output or a file, in one of the output formats. A pair counts as shipped once the kernel has
 * accepted its bytes.
 *
 * While the output accepts no bytes (a slow reader, a FIFO without one, a full disk), pairs wait in the queue, within
 * the buffer's bounds, and the write is retried. Where input waits for the output, an error ends the run at once.
 */
import { fileErrorText, runtimeError } from '../../errors.ts'
import type { PairFormat } from '../../format/output-format.ts'
import type { Log } from '../../log/folded-log.ts'
import type { WriteResult } from '../../output/fd-output.ts'
import type { OutputFile } from '../../output/output-file.ts'
import type { PairQueue } from '../pair-queue.ts'
import type { Sink, SinkContext, SinkEnd } from '../sink.ts'
import type { OutputProgress } from '../status.ts'

/** How often a format may write without a pair. */
const TICK_MS = 100
/** Pauses before the next attempt: for a slow reader, and after an error. */
const SLOW_READER_MS = 10
const RETRY_MS = 1_000
/** How long closing waits for a slow reader, unless it is patient. */
const CLOSE_MS = 1_000

const SUSPECT = new Error('the shipper failed while it formatted this pair')

export interface StreamSinkOptions {
  output: OutputFile
  format: PairFormat
  context: SinkContext
  log: Log
  /** How far the output has been written, kept across restarts of this thread. */
  progress: OutputProgress
  /** Whether an error is retried; otherwise it ends the run. */
  retries: boolean
}

export class StreamSink implements Sink {
  pairs = 0
  readonly byteCount = 0
  down = false
  awaitsReader = false
  reachable: boolean | null = null
  /** Pairs leave the queue only to be written, so none of them ages here. */
  readonly oldestMs = Infinity
  end: SinkEnd | null = null
  obstacle: string | null = null
  readonly #options: StreamSinkOptions
  #retryMs = Infinity
  /** When `tick` of the format is called next. */
  #tickMs: number
  #written = 0
  /** For each of `pairs` that could be formatted: the output's `written` once its last byte is. */
  #ends: number[] = []
  /** Those of `pairs` that could not be formatted. */
  #rejected = 0
  /** The output's `written` once the last byte of the format's opening is. */
  #openingEnd = 0
  /** The kind of output from which the end was cut, because it did not accept all of it; null: none was. */
  #cutFrom: 'file' | 'stream' | null = null

  /** @throws InterceptorError when the output cannot be opened */
  constructor(options: StreamSinkOptions) {
    this.#options = options
    this.#tickMs = options.format.tick === undefined ? Infinity : 0
    if (options.progress.begun) options.format.resume?.(options.progress.pairs > 0)
    const opened = options.output.open()
    if (opened instanceof Error) {
      throw runtimeError(`cannot write ${options.output.name}: ${fileErrorText(opened)}`, { cause: opened })
    }
    if (opened === 'later') options.log.info('the output has no reader yet; pairs wait in the buffer')
  }

  get nextDueMs(): number {
    return Math.min(this.#retryMs, this.#tickMs)
  }

  pump(queue: PairQueue, nowMs: number): void {
    if (nowMs < this.#retryMs && this.#retryMs !== Infinity) return
    this.#retryMs = Infinity
    const { output, context } = this.#options
    if (!this.#startFileIfDue(queue, nowMs) || !this.#begin(nowMs)) return
    const { limit, ledger } = context
    while (ledger.shippedPairs + this.pairs < limit && queue.front()) {
      const text = queue.isSuspect ? SUSPECT : this.#format(queue)
      queue.pop()
      this.pairs += 1
      if (text instanceof Error) this.#reject(text)
      else if (!this.#write(queue, text, nowMs)) return
      if (output.isFull && !this.#startFileIfDue(queue, nowMs)) return
    }
    if (!this.#tick(nowMs)) return
    // The queue is empty: flush, so that a reader sees the last pairs.
    this.#settle(queue, output.flush(), nowMs)
  }

  flush(): void {}

  dropOlder(): number {
    return 0
  }

  dropOver(): number {
    return 0
  }

  /** Pairs whose last byte was written are shipped, although what follows them was not written. */
  discard(): number {
    const { output } = this.#options
    const whole = this.#ends.filter((end) => end <= output.written)
    const lost = this.#ends.length - whole.length
    this.#count(whole.length, whole.at(-1) ?? this.#written)
    if (output.pending > 0) this.#cut()
    return lost
  }

  async close(isPatient: () => boolean): Promise<void> {
    const { output, format } = this.#options
    const deadline = performance.now() + CLOSE_MS
    const waits = (): boolean => performance.now() < deadline || isPatient()
    const opened = output.open()
    const before = await this.#flush(waits)
    if (output.pending > 0) this.#cut()
    const isCut = this.#cutFrom !== null
    const mayEnd = isCut ? this.#cutFrom === 'file' : this.end === null && opened === 'ok'
    if (mayEnd && this.#begin(0)) output.write(format.end())
    const last = await this.#flush(waits)
    const isComplete = !this.down && !isCut && output.pending === 0
    output.close()
    if (this.end !== null) return
    if (opened === 'later') this.end = { kind: 'failed', message: `nothing was written: ${output.name} has no reader` }
    else if (!isComplete) this.end = this.#unfinished(isCut ? before : last)
  }

  /** Drops what is pending, and removes the part of a pair, or of the opening, that a file ends with. */
  #cut(): void {
    const { output, progress } = this.#options
    if (this.#written < this.#openingEnd) progress.begun = false
    this.#cutFrom = output.truncate(progress.bytes) ? 'file' : 'stream'
  }

  /** Writes what is pending, unless the output has failed. @returns how the last attempt ended */
  async #flush(waits: () => boolean): Promise<WriteResult> {
    if (this.end !== null) return 'ok'
    const { output } = this.#options
    let result = output.flush()
    while (result === 'later' && waits()) {
      await new Promise((resolve) => setTimeout(resolve, SLOW_READER_MS))
      result = output.flush()
    }
    return result
  }

  /** @param result of the last attempt to write what was missing */
  #unfinished(result: WriteResult): SinkEnd {
    if (result === 'closed') return this.#closed()
    if (result instanceof Error) return { kind: 'failed', message: `cannot write the output: ${fileErrorText(result)}` }
    return { kind: 'failed', message: `${this.#options.output.name} could not be written to its end` }
  }

  /** Writes what is pending, and starts a new file where that is due. @returns whether to continue */
  #startFileIfDue(queue: PairQueue, nowMs: number): boolean {
    const { output } = this.#options
    if (!this.#settle(queue, output.flush(), nowMs)) return false
    return this.#check(output.closeIfDue(Date.now()), nowMs) && this.#settle(queue, output.open(), nowMs)
  }

  #begin(nowMs: number): boolean {
    const { progress, output, format } = this.#options
    if (progress.begun) return true
    progress.begun = true
    const result = output.write(format.begin())
    this.#openingEnd = output.written + output.pending
    return this.#check(result, nowMs)
  }

  /** @returns whether to continue */
  #tick(nowMs: number): boolean {
    if (nowMs < this.#tickMs) return true
    this.#tickMs = nowMs + TICK_MS
    const { output, format } = this.#options
    return this.#check(output.write(format.tick?.() ?? ''), nowMs)
  }

  /** Formats the oldest pair. If that ends the thread, the next one skips the pair. */
  #format(queue: PairQueue): string | Uint8Array | Error {
    queue.mark()
    const text = this.#options.format.pair(queue.bytes.subarray(queue.start, queue.start + queue.length))
    queue.unmark()
    return text
  }

  #write(queue: PairQueue, text: string | Uint8Array, nowMs: number): boolean {
    const { output } = this.#options
    const result = output.write(text)
    this.#ends.push(output.written + output.pending)
    return output.pending === 0 ? this.#settle(queue, result, nowMs) : this.#check(result, nowMs)
  }

  /** Counts the held pairs as shipped once all their bytes are written. @returns whether to continue */
  #settle(queue: PairQueue, result: WriteResult, nowMs: number): boolean {
    if (!this.#check(result, nowMs)) return false
    const { output } = this.#options
    if (output.pending > 0) return true
    queue.settle()
    this.#count(this.#ends.length, output.written)
    return true
  }

  /** Counts the held pairs: the first `shipped` of them are written, with the output's first `written` bytes. */
  #count(shipped: number, written: number): void {
    const { output, context, progress } = this.#options
    progress.pairs += shipped
    progress.bytes = output.size - (output.written - written)
    context.ledger.shipped(shipped, written - this.#written)
    context.ledger.dropped('rejected', this.#rejected)
    this.#written = written
    this.#ends.length = 0
    this.#rejected = 0
    this.pairs = 0
  }

  #check(result: WriteResult, nowMs: number): boolean {
    if (result === 'ok') {
      if (this.down) this.#options.log.info('the output accepts pairs again')
      if (this.down || this.#options.output.written > 0) this.reachable = true
      this.down = false
      this.awaitsReader = false
      this.obstacle = null
      return true
    }
    if (result === 'later') this.#wait(nowMs)
    else if (result === 'closed') this.end = this.#closed()
    else this.#fail(result, nowMs)
    return false
  }

  #wait(nowMs: number): void {
    const { name, isOpen } = this.#options.output
    this.#retryMs = nowMs + SLOW_READER_MS
    this.awaitsReader = isOpen
    this.obstacle = isOpen ? `the reader of ${name} does not read` : `${name} has no reader`
  }

  /** A program that reads standard output may need none of it; a file of its own name was meant to be read. */
  #closed(): SinkEnd {
    const { name, isStandard, written } = this.#options.output
    this.obstacle = null
    if (isStandard || written > 0) return { kind: 'closed' }
    return { kind: 'failed', message: `the reader of ${name} closed it before a pair was written` }
  }

  #fail(error: Error, nowMs: number): void {
    this.reachable = false
    this.obstacle = `cannot write ${this.#options.output.name}: ${fileErrorText(error)}`
    if (!this.#options.retries) {
      this.end = { kind: 'failed', message: `cannot write the output: ${fileErrorText(error)}` }
      return
    }
    this.down = true
    this.#retryMs = nowMs + RETRY_MS
    this.#options.log.warn(`cannot write the output: ${fileErrorText(error)}; pairs wait in the buffer`)
  }

  #reject(error: Error): void {
    this.#rejected += 1
    this.#options.log.warn(`a pair cannot be formatted and is dropped: ${error.message}`)
  }
}
