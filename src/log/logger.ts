/**
 * The process's log: pino, on the main thread alone, to standard error. Workers post records, which are logged here.
 * Repeats are folded (folded-log.ts).
 *
 * `json` writes one JSON object per line, in pino's field names: `level` as a word, `time` in ISO 8601, `msg`, then the
 * record's fields. `lines` writes one plain line per record, for a person.
 */
import { writeSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Logger as PinoLogger } from 'pino'
import { FoldedLog, type Log, type LogFields, type LogLevel, type LogRecord } from './folded-log.ts'

/** The log of a process, of which there is one. */
export interface Logger extends Log {
  /** From now on, records less severe than `level` are not written. */
  setLevel(level: LogLevel | 'silent'): void
}

export interface LoggerOptions {
  /** The least severe level written; `silent`: none. */
  level: LogLevel | 'silent'
  form: 'lines' | 'json'
  /** Colour the level; in lines only. */
  color?: boolean
  /** Begin each line with its time and level, as a long-running service needs; in lines only. */
  times?: boolean
  /** Receives each finished line. Absent: written to standard error synchronously, so that nothing is lost at exit. */
  write?: (line: string) => void
  /** Repeats within this many milliseconds are folded. */
  foldMs?: number
  /** A monotonic clock, milliseconds. */
  now?: () => number
}

const FOLD_MS = 10_000

/** From the least severe to the most. */
const LEVELS: readonly (LogLevel | 'silent')[] = ['debug', 'info', 'warn', 'error', 'silent']

/** Never throws: records are lost where standard error is closed. */
export function createLogger(options: LoggerOptions): Logger {
  const { foldMs = FOLD_MS, now } = options
  let { level } = options
  let sink: PinoLogger | null = null
  const emit = ({ level: of, message, fields }: LogRecord): void => {
    sink ??= openSink(options)
    sink[of](fields, message)
  }
  const log = new FoldedLog(emit, {
    periodMs: foldMs,
    now,
    isEnabled: (of) => LEVELS.indexOf(of) >= LEVELS.indexOf(level),
  })
  return Object.assign(log, {
    setLevel: (to: LogLevel | 'silent') => {
      level = to
    },
  })
}

/** Loads pino with the first record: most runs of a command write none. */
function openSink(options: LoggerOptions): PinoLogger {
  const pino = createRequire(import.meta.url)('pino') as typeof import('pino').pino
  const { form, write = writeToStandardError } = options
  return pino(
    {
      level: 'debug',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      ...(form === 'json' ? {} : { base: null }),
    },
    { write: form === 'json' ? write : (line: string) => write(plainLine(line, options)) },
  )
}

const STANDARD_ERROR = 2

function writeToStandardError(line: string): void {
  try {
    writeSync(STANDARD_ERROR, line)
  } catch {
    // Standard error is closed or full: there is nowhere to report it.
  }
}

const LEVEL_COLORS: Record<LogLevel, string> = { debug: '\x1b[2m', info: '', warn: '\x1b[33m', error: '\x1b[31m' }
const RESET_COLOR = '\x1b[0m'
/** Level words of lines without times, as command-line tools write them. */
const PREFIXES: Record<LogLevel, string> = { debug: 'debug: ', info: '', warn: 'warning: ', error: 'error: ' }
const SHOWN_APART = new Set(['level', 'time', 'msg'])

/** `warning: message (name=value, …)`, or `2026-11-28T10:00:00.000Z warn  message (name=value, …)` with times. */
function plainLine(json: string, { color, times }: LoggerOptions): string {
  const record = JSON.parse(json) as { level: LogLevel; time: string; msg: string } & LogFields
  const paint = color === true ? LEVEL_COLORS[record.level] : ''
  const word = times === true ? `${record.level.padEnd(5)} ` : PREFIXES[record.level]
  const level = paint === '' ? word : `${paint}${word}${RESET_COLOR}`
  const fields = Object.entries(record).filter(([name]) => !SHOWN_APART.has(name))
  const shown = fields.map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
  const detail = shown.length === 0 ? '' : ` (${shown.join(', ')})`
  return `${times === true ? `${record.time} ` : ''}${level}${record.msg}${detail}\n`
}
