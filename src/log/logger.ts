/**
 * The log: pino, on the main thread alone, to standard error. Workers post records that are logged here. Agents write
 * JSON lines; commands a person runs write one plain line per record.
 *
 * Repeats are folded: of records with the same message and texts, the first is written, then at most one a period with
 * the number of those held back (`repeated`). Of records with the same message that differ in their texts, so many a
 * period are written, and the number of those left out (`alike`).
 */
import { writeSync } from 'node:fs'
import pino from 'pino'
import { Quota } from './quota.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Structured data of a record, beside its message. */
export type LogFields = Record<string, unknown>

/** Takes records; one for the whole process. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** A record whose level is data: one a worker posted. */
  log(level: LogLevel, message: string, fields?: LogFields): void
  /** From now on this is the least severe level written. */
  setLevel(level: LogLevel | 'silent'): void
  /** Writes the counts of records still held back. Call at the end of a run, and now and then in a long one. */
  flush(): void
}

/** How records are written. */
export interface LoggerOptions {
  /** The least severe level written; `silent`: none. */
  level: LogLevel | 'silent'
  /** `lines`: one plain line per record, for a person. `json`: pino's JSON lines. */
  form: 'lines' | 'json'
  /** Colour the level; in lines only. */
  color?: boolean
  /** Takes each finished line. Absent: standard error, written synchronously, so that nothing is lost at exit. */
  write?: (line: string) => void
  /** Repeats of a message within this many milliseconds are folded. */
  foldMs?: number
  /** Milliseconds; monotonic. */
  now?: () => number
}

const FOLD_MS = 10_000

/** Records of one message, whatever their texts, that are written in a period. */
const MOST_ALIKE = 50

interface LogRecord {
  level: LogLevel
  message: string
  fields: LogFields
}

/** What makes two records repeats of one another: the message and those fields that are text, such as a path. */
const kindOf = ({ message, fields }: LogRecord): string =>
  [message, ...Object.values(fields).filter((value) => typeof value === 'string')].join('\0')

/** A logger for the main thread. Never throws: a standard error that is gone takes no records. */
export function createLogger(options: LoggerOptions): Logger {
  const write = options.write ?? writeToStandardError
  const format = options.form === 'lines' ? (line: string) => write(plainLine(line, options.color === true)) : write
  const base = options.form === 'json' ? {} : { base: null }
  const sink = pino({ level: options.level, ...base }, { write: format })
  const period = options.foldMs ?? FOLD_MS
  const now = options.now ?? (() => performance.now())

  const emit = ({ level, message, fields }: LogRecord): void => sink[level](fields, message)
  const alike = new Quota<LogRecord>(MOST_ALIKE, period, (last, held) =>
    emit({ ...last, fields: { ...last.fields, alike: held } }),
  )
  const emitSome = (record: LogRecord): void => {
    if (alike.admits(record.message, record, now())) emit(record)
  }
  const repeats = new Quota<LogRecord>(1, period, (last, held) =>
    emitSome({ ...last, fields: { ...last.fields, repeated: held } }),
  )

  function log(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (!sink.isLevelEnabled(level)) return
    const record = { level, message, fields }
    if (repeats.admits(kindOf(record), record, now())) emitSome(record)
  }

  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    log,
    setLevel: (level) => {
      sink.level = level
    },
    flush: () => {
      repeats.flush()
      alike.flush()
    },
  }
}

const STANDARD_ERROR = 2

function writeToStandardError(line: string): void {
  try {
    writeSync(STANDARD_ERROR, line)
  } catch {
    // Closed or full: there is no one to tell.
  }
}

const LEVEL_COLORS: Record<number, string> = { 20: '\x1b[2m', 30: '', 40: '\x1b[33m', 50: '\x1b[31m' }
const HIDDEN_FIELDS = new Set(['level', 'time', 'msg'])

/** `warning: message (name=value, …)`; information goes without its level. */
function plainLine(json: string, color: boolean): string {
  const record = JSON.parse(json) as { level: number; msg: string } & LogFields
  const word = record.level >= 50 ? 'error: ' : record.level >= 40 ? 'warning: ' : record.level < 30 ? 'debug: ' : ''
  const paint = color ? (LEVEL_COLORS[record.level] ?? '') : ''
  const fields = Object.entries(record).filter(([name]) => !HIDDEN_FIELDS.has(name))
  const shown = fields.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const detail = shown.length === 0 ? '' : ` (${shown.join(', ')})`
  return `${paint}${word}${paint === '' ? '' : '\x1b[0m'}${record.msg}${detail}\n`
}
