/** Formats pairs and writes them to an output whose reader may be slow. */
import { setTimeout as sleep } from 'node:timers/promises'
import { fileErrorText, runtimeError } from '../errors.ts'
import type { PairFormat } from '../format/output-format.ts'
import type { FdOutput, WriteResult } from '../output/fd-output.ts'
import type { PairSelector } from '../select/selector.ts'

/** How often a format may write without a pair. */
const TICK_MS = 100
/** Between two attempts to write to a slow reader. */
const SLOW_READER_MS = 10

export interface PrinterOptions {
  /** Stop after this many pairs; null: never. */
  limit: number | null
  /** Which pairs are printed; null: all. */
  selector: PairSelector | null
  format: PairFormat
  output: FdOutput
  /** Stops waiting for a slow reader. */
  signal: AbortSignal
}

/** What was printed. */
export interface Printed {
  /** Pairs written. */
  pairs: number
  /** Values that are not pairs. */
  foreign: number
}

export class Printer {
  readonly result: Printed = { pairs: 0, foreign: 0 }
  /** The limit is reached, or the reader has closed the output. */
  done = false
  /** The reader has closed the output. */
  #closed = false
  #ticking: NodeJS.Timeout | undefined
  readonly #options: PrinterOptions

  constructor(options: PrinterOptions) {
    this.#options = options
  }

  /** @throws InterceptorError, as every method does, when the output cannot be written */
  begin(): void {
    const { output, format } = this.#options
    this.#check(output.write(format.begin()))
    if (format.tick !== undefined) this.#ticking = setInterval(() => this.#tick(), TICK_MS)
  }

  /**
   * @param values pairs in either form; null: something else
   * @returns how many of them were processed before the limit; 0 when the reader has closed the output
   */
  async print(values: Iterable<Uint8Array | null>): Promise<number> {
    let processed = 0
    for (const value of values) {
      if (this.done) break
      this.#printOne(value)
      processed += 1
    }
    if (!this.#closed) await this.#flush()
    return this.#closed ? 0 : processed
  }

  async end(): Promise<void> {
    const { format, output } = this.#options
    clearInterval(this.#ticking)
    if (this.#check(output.write(format.end()))) await this.#flush()
  }

  /** Waits for a slow reader, until aborted. */
  async #flush(): Promise<void> {
    const { output, signal } = this.#options
    let result = output.flush()
    while (result === 'later' && !signal.aborted) {
      await sleep(SLOW_READER_MS)
      result = output.flush()
    }
    this.#check(result)
  }

  #tick(): void {
    const { format, output } = this.#options
    const text = format.tick?.() ?? ''
    // An error is noticed again when a pair is written, and reported then.
    if (text !== '' && output.write(text) === 'ok') output.flush()
  }

  #printOne(value: Uint8Array | null): void {
    const { selector, format, output, limit } = this.#options
    if (value === null) {
      this.result.foreign += 1
      return
    }
    // A value that is not a pair is left to the format, which finds the same fault.
    if (selector?.selects(value) === false) return
    const text = format.pair(value)
    if (text instanceof Error) {
      this.result.foreign += 1
      return
    }
    if (!this.#check(output.write(text))) return
    this.result.pairs += 1
    if (limit !== null && this.result.pairs >= limit) this.done = true
  }

  #check(result: WriteResult): boolean {
    // What a slow reader does not accept now stays pending.
    if (result === 'ok' || result === 'later') return true
    if (result !== 'closed') throw runtimeError(`cannot write the output: ${fileErrorText(result)}`, { cause: result })
    this.#closed = true
    this.done = true
    return false
  }
}
