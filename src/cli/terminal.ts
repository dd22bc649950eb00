/**
 * Writes to standard output and error without Node's streams, which switch a pipe to non-blocking mode and so affect the
 * shipper thread that writes to the same descriptor. Main thread.
 */
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'

const STANDARD_OUTPUT = 1
const STANDARD_ERROR = 2

/** When to use a feature of terminals. */
export type When = 'auto' | 'always' | 'never'

/** Whether standard output is a terminal. */
export const outputIsTerminal = (): boolean => isatty(STANDARD_OUTPUT)
/** Whether standard error is a terminal. */
export const errorIsTerminal = (): boolean => isatty(STANDARD_ERROR)

/** Writes a text to standard output. If the reader has closed it, the text is discarded without an error. */
export const writeOutput = (text: string): void => writeAll(STANDARD_OUTPUT, text)

/** Writes a text to standard error. If it is closed, the text is discarded. */
export const writeError = (text: string): void => writeAll(STANDARD_ERROR, text)

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text)
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      // Another process may have made the descriptor non-blocking: the reader is slow, not gone.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      Atomics.wait(PAUSE, 0, 0, PAUSE_MS)
    }
  }
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4))
const PAUSE_MS = 5

/** Columns of the terminal on standard output; null if it is not a terminal. */
export const outputColumns = (): number | null => (outputIsTerminal() ? process.stdout.columns || null : null)

/** Columns of the terminal on standard error; 80 if unknown. */
export const errorColumns = (): number => (errorIsTerminal() ? process.stderr.columns || 80 : 80)

/**
 * Whether to use colours. `auto` means on a terminal, unless NO_COLOR is set (https://no-color.org) or TERM is `dumb`;
 * FORCE_COLOR overrides all three.
 *
 * @param terminal  whether the text is written to a terminal
 */
export function wantsColor(when: When, terminal: boolean, env: NodeJS.ProcessEnv = process.env): boolean {
  if (when !== 'auto') return when === 'always'
  if ((env['FORCE_COLOR'] ?? '') !== '') return env['FORCE_COLOR'] !== '0'
  return terminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}
