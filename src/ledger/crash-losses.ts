/**
 * Counts what a crashed or hung thread held as lost, so that every law holds in any case: an assembler's frames,
 * connections, waiting requests and unfinished responses, frames that a capture worker had not queued yet, and pairs that the
 * shipper was processing. Main thread; the worker's thread must have ended, so that nothing else writes its counters.
 */
import { ASSEMBLE_COUNTERS, CAPTURE_COUNTERS, SHIP_COUNTERS } from './counters.ts'

/** Balances an assembler's counters. */
export function countAssemblerLosses(counts: Float64Array): void {
  const { index: C, paths } = ASSEMBLE_COUNTERS
  const sum = (section: string): number => sumOf(paths, section, (index) => counts[index])
  counts[C.framesLostCrash] += counts[C.framesRead] - counts[C.framesConsumed]
  counts[C.framesRead] = counts[C.framesConsumed]
  counts[C.closedCrash] += counts[C.flowsSeen] - sum('flows.closed.')
  counts[C.flowsOpen] = 0
  counts[C.abandonedCrash] += counts[C.requests] - counts[C.pairsAssembled] - sum('requests.abandoned.')
  counts[C.requestsWaiting] = 0
  counts[C.orphanedCrash] += counts[C.responses] - counts[C.pairsAssembled] - sum('responses.orphaned.')
}

/**
 * Balances a capture worker's counters.
 *
 * @param blocks every block it has written to, or the sums that replaced them
 * @param into one of them, to which the difference is added
 */
export function countCaptureLosses(blocks: readonly Float64Array[], into: Float64Array): void {
  const { index: C, paths } = CAPTURE_COUNTERS
  const total = (index: number): number => blocks.reduce((sum, block) => sum + block[index], 0)
  const known = sumOf(paths, 'frames.skipped.', total) + sumOf(paths, 'frames.dropped.', total)
  into[C.droppedCrash] += total(C.seen) - total(C.queued) - known
}

/**
 * Balances the shipper's counters.
 *
 * @param heldPairs pairs that outlived it: the next shipper has them
 */
export function countShipperLosses(counts: Float64Array, heldPairs: number): void {
  const { index: C, paths } = SHIP_COUNTERS
  const known = counts[C.shipped] + sumOf(paths, 'pairs.dropped.', (index) => counts[index]) + heldPairs
  // Pairs are counted as read just after they are read: a thread that ends between the two has counted too few.
  counts[C.pairsRead] = Math.max(counts[C.pairsRead], known)
  counts[C.droppedCrash] += counts[C.pairsRead] - known
  counts[C.queued] = heldPairs
}

/** Adds up the counters whose path begins with `section`. */
function sumOf(paths: readonly string[], section: string, count: (index: number) => number): number {
  return paths.reduce((sum, path, index) => (path.startsWith(section) ? sum + count(index) : sum), 0)
}
