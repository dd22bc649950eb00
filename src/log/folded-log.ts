/**
 * A log that folds repeats, so that an outage of an hour costs a few lines and not one per attempt.
 *
 * Records with the same level, message and texts are repeats: the first is written, then at most one per period, with
 * the number of those held back since (`repeated`). Of records with the same message but different texts, MAX_ALIKE are
 * written per period; the next one after it carries the number of those held back (`alike`).
 */
import { Quota } from './quota.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Structured data of a record, in addition to its message. */
export type LogFields = Record<string, unknown>

export interface LogRecord {
  level: LogLevel
  message: string
  fields: LogFields
}

/** The interface for code that logs. No method throws. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A record whose level is data, such as one that a worker posted. */
  log(level: LogLevel, message: string, fields?: LogFields): void
  /** Writes the counts of records still held back. Call it at the end of a run, and now and then in a long one. */
  flush(): void
}

export interface FoldOptions {
  periodMs: number
  /** A monotonic clock, milliseconds. Absent: `performance.now`. */
  now?: (() => number) | undefined
  /** Whether records of this level are written. Absent: all are. */
  isEnabled?: (level: LogLevel) => boolean
}

/** Records of one message, with any fields, that are written per period. */
const MAX_ALIKE = 50

export class FoldedLog implements Log {
  readonly #write: (record: LogRecord) => void
  readonly #now: () => number
  readonly #isEnabled: (level: LogLevel) => boolean
  readonly #repeats: Quota<LogRecord>
  readonly #alike: Quota<LogRecord>

  /** @param write receives the records that are not held back */
  constructor(write: (record: LogRecord) => void, options: FoldOptions) {
    const { periodMs, now = () => performance.now(), isEnabled = () => true } = options
    this.#write = write
    this.#now = now
    this.#isEnabled = isEnabled
    this.#repeats = new Quota(1, periodMs, (last, held) => this.#writeSome(withCount(last, 'repeated', held)))
    this.#alike = new Quota(MAX_ALIKE, periodMs, (last, held) => this.#write(withCount(last, 'alike', held)))
  }

  debug(message: string, fields?: LogFields): void {
    this.log('debug', message, fields)
  }

  info(message: string, fields?: LogFields): void {
    this.log('info', message, fields)
  }

  warn(message: string, fields?: LogFields): void {
    this.log('warn', message, fields)
  }

  error(message: string, fields?: LogFields): void {
    this.log('error', message, fields)
  }

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (!this.#isEnabled(level)) return
    const record = { level, message, fields }
    const held = this.#repeats.admit(kindOf(record), record, this.#now())
    if (held !== null) this.#writeSome(withCount(record, 'repeated', held))
  }

  flush(): void {
    this.#repeats.flush()
    this.#alike.flush()
  }

  #writeSome(record: LogRecord): void {
    const held = this.#alike.admit(record.message, record, this.#now())
    if (held !== null) this.#write(withCount(record, 'alike', held))
  }
}

/** The key under which records are repeats: level, message and those fields that are text, such as a path. */
const kindOf = ({ level, message, fields }: LogRecord): string =>
  [level, message, ...Object.values(fields).filter((value) => typeof value === 'string')].join('\0')

const withCount = (record: LogRecord, name: string, held: number): LogRecord =>
  held === 0 ? record : { ...record, fields: { ...record.fields, [name]: held } }
