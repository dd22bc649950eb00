/**
 * What a crashed thread had in hand is lost, and says so. Of an assembler: connections it tracked, requests that waited,
 * responses in progress are counted under `crash`, so that every law holds whatever happened. Of a capture worker: frames
 * that were seen and went nowhere yet.
 */
import { ASSEMBLE_COUNTERS, CAPTURE_COUNTERS } from './counters.ts'

const { index: C, paths } = ASSEMBLE_COUNTERS

/** Balances an assembler's counters. The slot must not be running. */
export function countAssemblerLosses(counts: Float64Array): void {
  counts[C.closedCrash] += counts[C.flowsSeen] - sum(counts, 'flows.closed.')
  counts[C.flowsOpen] = 0
  counts[C.abandonedCrash] += counts[C.requests] - counts[C.pairsAssembled] - sum(counts, 'requests.abandoned.')
  counts[C.requestsWaiting] = 0
  counts[C.orphanedCrash] += counts[C.responses] - counts[C.pairsAssembled] - sum(counts, 'responses.orphaned.')
}

/**
 * Balances the counters of a capture worker.
 *
 * @param blocks all it has ever written to, or what became of them; @param into one of them, which takes the difference
 */
export function countCaptureLosses(blocks: readonly Float64Array[], into: Float64Array): void {
  const total = (index: number): number => blocks.reduce((sum, block) => sum + block[index], 0)
  const known = (prefix: string): number =>
    CAPTURE_COUNTERS.paths.reduce((sum, path, i) => (path.startsWith(prefix) ? sum + total(i) : sum), 0)
  const { seen, queued, droppedCrash } = CAPTURE_COUNTERS.index
  into[droppedCrash] += total(seen) - total(queued) - known('frames.skipped.') - known('frames.dropped.')
}

function sum(counts: Float64Array, prefix: string): number {
  return paths.reduce((total, path, i) => (path.startsWith(prefix) ? total + counts[i] : total), 0)
}
