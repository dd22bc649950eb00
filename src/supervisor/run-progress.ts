/** The progress of a run: the capture worker reports it, and it is passed on to the run's caller. Main thread. */
import { count } from '../ledger/ledger.ts'
import type { RunLedger } from '../ledger/run-ledger.ts'
import type { PipelineOptions } from './options.ts'

/** What was read so far, and when that is reported. */
export class RunProgress {
  readonly #ledger: RunLedger
  readonly #onProgress: PipelineOptions['onProgress']
  #bytes = 0
  #totalBytes: number | null = null
  #begun = false

  constructor(ledger: RunLedger, onProgress: PipelineOptions['onProgress']) {
    this.#ledger = ledger
    this.#onProgress = onProgress
  }

  /** @param totalBytes null: unknown */
  read(bytes: number, totalBytes: number | null): void {
    this.#bytes = bytes
    this.#totalBytes = totalBytes
  }

  /** Everything is started: from now on `check` reports. */
  begin(): void {
    this.#begun = true
  }

  /** Reports while frames are captured. Call it several times a second. */
  check(): void {
    if (this.#begun) this.report()
  }

  report(): void {
    const run = this.#ledger
    this.#onProgress?.({
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      get pairs() {
        return count(run.ledger, 'pairs.kept')
      },
    })
  }
}
