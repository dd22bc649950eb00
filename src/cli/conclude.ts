/** Reports how a run of the pipeline ended, and derives the exit code. Main thread. */
import { EXIT_DONE, EXIT_INTERRUPTED, EXIT_RUNTIME, EXIT_USAGE } from '../errors.ts'
import { counted } from '../format/units.ts'
import { count } from '../ledger/ledger.ts'
import type { Logger } from '../log/logger.ts'
import type { Outcome } from '../supervisor/options.ts'
import type { PipelineFlags } from './options.ts'
import { damageLines, type RunFacts, summaryLine, writeLedger } from './summary.ts'
import { writeError } from './terminal.ts'
import { type Ended, NOT_REPORTED } from './until-done.ts'

/** Keys of the bounds that drop pairs, by the reason in the ledger. */
const BUFFER_BOUNDS = { maxAge: 'ship.maxAge', bufferBytes: 'ship.bufferBytes' } as const
/** Pairs left by a reader that closes the output, as `head` does, count as `shutdown` too, although no bound was reached. */
const SHIP_BOUNDS = { ...BUFFER_BOUNDS, shutdown: 'shutdown.timeout' } as const

/**
 * Writes the ledger and reports how the run ended.
 *
 * @returns the exit code: the outcome's, unless pairs were lost or a second signal stopped the run
 * @throws InterceptorError (EXIT_RUNTIME) if the ledger cannot be written
 */
export function conclude(
  { outcome, signals }: Ended,
  facts: RunFacts,
  { summary, quiet }: Pick<PipelineFlags, 'summary' | 'quiet'>,
  log: Logger,
): number {
  if (outcome === null) {
    log.error(NOT_REPORTED)
    return signals > 1 ? EXIT_INTERRUPTED : EXIT_RUNTIME
  }
  if (summary !== undefined) writeLedger(summary, outcome.ledger)
  for (const line of damageLines(outcome)) log.warn(line)
  reportFailure(outcome)
  const line = quiet !== true && hasStarted(outcome) ? summaryLine(outcome.ledger, facts) : null
  if (line !== null) writeError(`${line}\n`)
  if (signals > 1) return EXIT_INTERRUPTED
  const lost = reportUnshipped(outcome, facts) + reportRejected(outcome)
  return lost > 0 && outcome.exitCode === EXIT_DONE ? EXIT_RUNTIME : outcome.exitCode
}

function reportFailure({ failure }: Outcome): void {
  if (failure === null) return
  writeError(`interceptor: ${failure.message}\n`)
  if (failure.hint !== null) writeError(`${failure.hint}\n`)
}

/** A run that a wrong option ended, or that failed before its first frame, has nothing to summarise. */
const hasStarted = ({ failure, ledger }: Outcome): boolean =>
  failure === null || (failure.exitCode !== EXIT_USAGE && count(ledger, 'frames.seen') > 0)

/** @returns the pairs dropped because the output had not accepted them in time */
function reportUnshipped(outcome: Outcome, facts: RunFacts): number {
  const bounds = reachedBounds(outcome, facts)
  const unshipped = bounds.reduce((sum, { pairs }) => sum + pairs, 0)
  if (unshipped > 0) {
    const keys = bounds.map(({ key }) => key).join(', ')
    const verb = facts.sink === 'kafka' ? 'shipped to Kafka' : 'written'
    writeError(`interceptor: ${counted(unshipped, 'pair')} could not be ${verb} in time (${keys})\n`)
  }
  return unshipped
}

/** The bounds that were reached, with the pairs of each; none beyond -c. */
function reachedBounds({ ledger }: Outcome, { sink, limit }: RunFacts): { key: string; pairs: number }[] {
  const enough = limit !== null && count(ledger, 'pairs.shipped') >= limit
  if (enough) return []
  return Object.entries(sink === 'kafka' ? SHIP_BOUNDS : BUFFER_BOUNDS)
    .map(([reason, key]) => ({ key, pairs: count(ledger, `pairs.dropped.${reason}`) }))
    .filter(({ pairs }) => pairs > 0)
}

/** @returns the pairs that the output rejected for good */
function reportRejected({ ledger }: Outcome): number {
  const rejected = count(ledger, 'pairs.dropped.rejected')
  if (rejected > 0) writeError(`interceptor: the output rejected ${counted(rejected, 'pair')}\n`)
  return rejected
}
