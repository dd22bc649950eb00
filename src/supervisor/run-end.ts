/**
 * How a run ends: whether it was asked to drain or to stop, why it failed, what was damaged, and the outcome of all this.
 * Main thread.
 */
import { EXIT_DAMAGED, EXIT_DONE, EXIT_RUNTIME, type Failure } from '../errors.ts'
import type { RunLedger } from '../ledger/run-ledger.ts'
import type { Damage, Outcome } from './options.ts'

/** A worker was replaced while files were read. */
const PAIRS_MISSING: Failure = {
  message: 'a worker failed and was replaced: pairs may be missing',
  exitCode: EXIT_RUNTIME,
  hint: 'The ledger (--summary) counts what was lost as crash.',
}

/** What was asked of a run, what went wrong in it, and the outcome. */
export class RunEnd {
  #draining = false
  #stopping = false
  #failure: Failure | null = null
  readonly #damage: Damage[] = []

  /** Whether pending work is to be finished, and no more accepted. A run that stops need not drain. */
  get isDraining(): boolean {
    return this.#draining
  }

  /** Whether the run is to end at once. */
  get isStopping(): boolean {
    return this.#stopping
  }

  get hasFailed(): boolean {
    return this.#failure !== null
  }

  drain(): void {
    this.#draining = true
  }

  stop(): void {
    this.#stopping = true
  }

  /** Records why the run failed; null: a part of it has ended well. The first failure counts. */
  fail(failure: Failure | null): void {
    this.#failure ??= failure
  }

  addDamage({ path, offset, reason }: Damage): void {
    this.#damage.push({ path, offset, reason })
  }

  /**
   * Counts what workers have left behind. Every one must have ended.
   *
   * @param hasCrashed whether an assembler or the shipper was replaced
   * @param readsFiles live capture continues after a crash; the pairs of a file are expected to be complete
   */
  outcome(run: RunLedger, { hasCrashed, readsFiles }: { hasCrashed: boolean; readsFiles: boolean }): Outcome {
    if (this.#stopping) run.countLeftovers('shutdown')
    else if (hasCrashed) run.countLeftovers('crash')
    if (hasCrashed && readsFiles) this.fail(PAIRS_MISSING)
    const damage = this.#damage
    const failure = this.#failure
    // A damaged input does not fail the run, but has an exit code of its own.
    const exitCode = failure?.exitCode ?? (damage.length > 0 ? EXIT_DAMAGED : EXIT_DONE)
    return { ledger: run.ledger, damage, exitCode, failure }
  }
}
