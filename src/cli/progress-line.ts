/** A progress line on a terminal, redrawn in place. Main thread. */
import { grouped } from '../format/units.ts'
import type { Progress } from '../supervisor/options.ts'

/** Short runs draw nothing: the first line appears after this time. Milliseconds. */
const QUIET_MS = 500

/** Least time between two redraws, in milliseconds. */
const REDRAW_MS = 100

/** A line that is redrawn in place. */
export interface ProgressLine {
  update(progress: Progress): void
  /** Draws a text instead of the progress. */
  show(text: string): void
  /** Erases the line. */
  clear(): void
}

/** The terminal on which the line is drawn. */
export interface ProgressLineOptions {
  write: (text: string) => void
  columns: number
  /** Milliseconds; monotonic. */
  now?: () => number
}

/** Creates a line that leaves the cursor at its beginning, so that later output overwrites it. */
export function progressLine({ write, columns, now = () => performance.now() }: ProgressLineOptions): ProgressLine {
  const began = now()
  let drawn = false
  let drawnAt = Number.NEGATIVE_INFINITY
  const draw = (describe: (ms: number) => string): void => {
    const ms = now() - began
    if (ms < QUIET_MS || (drawn && ms - drawnAt < REDRAW_MS)) return
    write(`\r\x1b[2K${describe(ms).slice(0, columns - 1)}\r`)
    drawn = true
    drawnAt = ms
  }
  return {
    update: (progress) => draw((ms) => describeProgress(progress, ms)),
    show: (text) => draw(() => text),
    clear() {
      if (drawn) write('\r\x1b[2K')
      drawn = false
    },
  }
}

/**
 * Describes progress: `62% of 1.2 GB, 412,000 pairs, 310 MB/s, 2 s left`, without a known total
 * `744 MB, 412,000 pairs, 310 MB/s`, live `412,000 pairs`.
 *
 * @param ms  milliseconds since the run began
 */
export function describeProgress(progress: Progress, ms: number): string {
  const { bytes, totalBytes, pairs } = progress
  const perMilli = ms > 0 ? bytes / ms : 0
  if (bytes === 0 && totalBytes === null) return `${grouped(pairs)} pairs`
  const parts = [`${grouped(pairs)} pairs`, `${formatBytes(perMilli * 1000)}/s`]
  if (totalBytes === null || totalBytes <= 0) return [formatBytes(bytes), ...parts].join(', ')
  const percent = Math.min(100, Math.floor((100 * bytes) / totalBytes))
  const left = perMilli > 0 ? [`${formatSeconds((totalBytes - bytes) / perMilli)} left`] : []
  return [`${percent}% of ${formatBytes(totalBytes)}`, ...parts, ...left].join(', ')
}

const SCALES = ['B', 'kB', 'MB', 'GB', 'TB']

/** Formats a byte count with three digits and powers of 1000: `744 MB`, `1.20 GB`. */
export function formatBytes(bytes: number): string {
  let scale = 0
  let value = bytes
  while (value >= 999.5 && scale < SCALES.length - 1) {
    value /= 1000
    scale += 1
  }
  const digits = scale === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${value.toFixed(digits)} ${SCALES[scale]}`
}

function formatSeconds(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`
}
