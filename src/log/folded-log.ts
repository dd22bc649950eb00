/**
 * Log lines of the shipper. A line that repeats is posted once, then counted, and told again with its count when a
 * minute has passed: a broker that is away for an hour costs sixty lines.
 */

import type { FromWorker } from '../thread/messages.ts'
import type { LogLevel } from './logger.ts'

const FOLD_MS = 60_000
/** Different lines remembered; beyond this the oldest is forgotten (and may be told once more). */
const REMEMBERED = 64

interface Told {
  atMs: number
  repeats: number
}

export class FoldedLog {
  readonly #post: (message: FromWorker) => void
  readonly #told = new Map<string, Told>()

  /** @param post how messages reach the main thread */
  constructor(post: (message: FromWorker) => void) {
    this.#post = post
  }

  /** Posts a line, unless the same one was posted within the last minute. */
  line(level: LogLevel, message: string, fields?: Record<string, unknown>): void {
    const nowMs = Date.now()
    const told = this.#told.get(message)
    if (told !== undefined && nowMs - told.atMs < FOLD_MS) {
      told.repeats += 1
      return
    }
    const repeats = told?.repeats ?? 0
    this.#told.delete(message)
    if (this.#told.size >= REMEMBERED) this.#told.delete(this.#told.keys().next().value as string)
    this.#told.set(message, { atMs: nowMs, repeats: 0 })
    const all = repeats > 0 ? { ...fields, repeated: repeats } : fields
    this.#post(all === undefined ? { t: 'log', level, message } : { t: 'log', level, message, fields: all })
  }

  /** Forgets what was told, so that the next trouble is told at once. */
  reset(): void {
    this.#told.clear()
  }
}
