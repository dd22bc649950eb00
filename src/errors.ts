/**
 * Errors that end a run, each with its exit code and a message made for the person who reads it: one that says what
 * is wrong and names the mend. Bytes from the wire or a file never become one of these; they are counted.
 */

/** Exit codes, as users' scripts know them. */
export const EXIT_DONE = 0
/** Something failed while running. */
export const EXIT_RUNTIME = 1
/** The command line or the configuration is wrong. */
export const EXIT_USAGE = 2
/** Finished, but the input was cut short or damaged. */
export const EXIT_DAMAGED = 3
/** A privilege or capability is missing. */
export const EXIT_PRIVILEGE = 4
/** Stopped at once by a second SIGINT (128 + 2). */
export const EXIT_INTERRUPTED = 130

/** Exit codes an error can carry. */
export type FailureCode = typeof EXIT_RUNTIME | typeof EXIT_USAGE | typeof EXIT_DAMAGED | typeof EXIT_PRIVILEGE

/** A failure with its exit code. `message` is shown to the user as it is; `hint` follows on a line of its own. */
export class InterceptorError extends Error {
  override readonly name = 'InterceptorError'
  readonly exitCode: FailureCode
  readonly hint: string | null

  constructor(exitCode: FailureCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.exitCode = exitCode
    this.hint = options.hint ?? null
  }
}

interface Details {
  /** What the user can do about it, in one sentence. */
  hint?: string
  cause?: unknown
}

/** The command line or the configuration is wrong: exit 2. */
export const usageError = (message: string, details: Details = {}): InterceptorError =>
  new InterceptorError(EXIT_USAGE, message, details)

/** Something failed while running: exit 1. */
export const runtimeError = (message: string, details: Details = {}): InterceptorError =>
  new InterceptorError(EXIT_RUNTIME, message, details)

/** A privilege or capability is missing; the message must name it: exit 4. */
export const privilegeError = (message: string, details: Details = {}): InterceptorError =>
  new InterceptorError(EXIT_PRIVILEGE, message, details)

/** Text of anything thrown, for a message. System errors keep their code: `ENOENT: no such file …`. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.message === '') return error.errors.map(errorText).join('; ')
  return error.message
}
