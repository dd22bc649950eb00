/**
 * Standard output and error, without Node's streams: those switch a pipe to non-blocking mode, which the shipper
 * thread writing to the same descriptor would feel. Main thread.
 */
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'

const STANDARD_OUTPUT = 1
const STANDARD_ERROR = 2

/** When to use something a terminal has. */
export type When = 'auto' | 'always' | 'never'

/** Whether standard output is a terminal. */
export const outputIsTerminal = (): boolean => isatty(STANDARD_OUTPUT)
/** Whether standard error is a terminal. */
export const errorIsTerminal = (): boolean => isatty(STANDARD_ERROR)

/** Writes all of a text to standard output. A reader that has gone away is no error: the text is let go. */
export const writeOutput = (text: string): void => writeAll(STANDARD_OUTPUT, text)

/** Writes all of a text to standard error. One that is closed takes nothing. */
export const writeError = (text: string): void => writeAll(STANDARD_ERROR, text)

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text)
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      // Another process may have made the descriptor non-blocking; the reader is slow, not gone.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(PAUSE, 0, 0, PAUSE_MS)
    }
  }
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4))
const PAUSE_MS = 5

/** Columns of the terminal on standard output; null when that is none. */
export const outputColumns = (): number | null => (outputIsTerminal() ? process.stdout.columns || null : null)

/** Columns of the terminal on standard error; 80 where that is not known. */
export const errorColumns = (): number => (errorIsTerminal() ? process.stderr.columns || 80 : 80)

/**
 * Whether to colour.
 *
 * @param terminal  whether the text goes to a terminal
 * auto: on a terminal, unless NO_COLOR is set (https://no-color.org) or TERM is `dumb`; FORCE_COLOR overrides both.
 */
export function wantsColor(when: When, terminal: boolean, env: NodeJS.ProcessEnv = process.env): boolean {
  if (when !== 'auto') return when === 'always'
  if ((env['FORCE_COLOR'] ?? '') !== '') return env['FORCE_COLOR'] !== '0'
  return terminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}
