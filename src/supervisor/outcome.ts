/** What a run came to, in the terms of its caller. */
import {
  EXIT_DAMAGED,
  EXIT_DONE,
  EXIT_PRIVILEGE,
  EXIT_RUNTIME,
  EXIT_USAGE,
  errorText,
  InterceptorError,
} from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Damage, Outcome } from './options.ts'
import type { WorkerEnd } from './worker-thread.ts'

/** Why a run failed. */
export interface Failure {
  message: string
  exitCode: number
  hint?: string
}

/** What was thrown while the run was being started. */
export function failureOf(error: unknown): Failure {
  const message = errorText(error)
  if (!(error instanceof InterceptorError)) return { message, exitCode: EXIT_RUNTIME }
  return { message, exitCode: error.exitCode, ...(error.hint === null ? {} : { hint: error.hint }) }
}

/** How a worker failed; null when it did not. */
export function failureOfWorker(end: WorkerEnd): Failure | null {
  if (end.how === 'failed') return end
  return end.how === 'crashed' ? { message: end.message, exitCode: EXIT_RUNTIME } : null
}

export function outcomeOf(ledger: Ledger, damage: Damage[], failure: Failure | null): Outcome {
  if (failure === null) return { ledger, damage, exitCode: damage.length > 0 ? EXIT_DAMAGED : EXIT_DONE }
  const { message, exitCode, hint } = failure
  const known = exitCode === EXIT_PRIVILEGE || exitCode === EXIT_USAGE ? exitCode : EXIT_RUNTIME
  return { ledger, damage, exitCode: known, message, ...(hint === undefined ? {} : { hint }) }
}
