/** Derives a run's outcome from how its workers ended. */
import { EXIT_DAMAGED, EXIT_DONE, EXIT_RUNTIME, type Failure } from '../errors.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Damage, Outcome } from './options.ts'
import type { WorkerEnd } from './worker-thread.ts'

/** How a worker failed; null when it did not. */
export function failureOfWorker(end: WorkerEnd): Failure | null {
  if (end.how === 'failed') return end.failure
  return end.how === 'crashed' ? { message: end.message, exitCode: EXIT_RUNTIME, hint: end.hint ?? null } : null
}

/** A damaged input is no failure of the run, but has an exit code of its own. */
export function outcomeOf(ledger: Ledger, damage: Damage[], failure: Failure | null): Outcome {
  const exitCode = failure?.exitCode ?? (damage.length > 0 ? EXIT_DAMAGED : EXIT_DONE)
  return { ledger, damage, exitCode, failure }
}
