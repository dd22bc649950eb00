/**
 * Writes to standard output and error without Node's streams. Those would switch a pipe to non-blocking mode, also for the
 * shipper thread, which writes to the same descriptor. Main thread.
 */
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { fileErrorText, runtimeError } from '../errors.ts'

const STANDARD_OUTPUT = 1
const STANDARD_ERROR = 2

/** When to use a feature of terminals. */
export type When = 'auto' | 'always' | 'never'

/** Whether standard output is a terminal. */
export const outputIsTerminal = (): boolean => isatty(STANDARD_OUTPUT)
/** Whether standard error is a terminal. */
export const errorIsTerminal = (): boolean => isatty(STANDARD_ERROR)

/**
 * Writes a text to standard output. If the reader has closed it, the text is discarded without an error.
 *
 * @throws InterceptorError (EXIT_RUNTIME) if it cannot be written for another reason, such as a full disk
 */
export function writeOutput(text: string): void {
  const error = writeAll(STANDARD_OUTPUT, text)
  if (error === null || (error as NodeJS.ErrnoException).code === 'EPIPE') return
  throw runtimeError(`cannot write the output: ${fileErrorText(error)}`, { cause: error })
}

/** Writes a text to standard error. If that fails, the text is discarded: there is no other place to report it. */
export function writeError(text: string): void {
  writeAll(STANDARD_ERROR, text)
}

/** @returns why not all of the text was written; null: it was */
function writeAll(descriptor: number, text: string): unknown {
  const bytes = Buffer.from(text)
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(descriptor, bytes, written)
    } catch (error) {
      // Another process may have made the descriptor non-blocking: the reader is slow, not gone.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return error
      Atomics.wait(PAUSE, 0, 0, PAUSE_MS)
    }
  }
  return null
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4))
const PAUSE_MS = 5

/** Columns of the terminal on standard output; null if it is not a terminal. */
export const outputColumns = (): number | null => (outputIsTerminal() ? process.stdout.columns || null : null)

/** Rows of the terminal on standard output; null if it is not a terminal. */
export const outputRows = (): number | null => (outputIsTerminal() ? process.stdout.rows || null : null)

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
