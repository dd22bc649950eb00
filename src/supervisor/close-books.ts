/**
 * What a crashed assembler had in hand is lost, and says so: connections it tracked, requests that waited, responses in
 * progress are counted under `crash`, so that every law holds whatever happened.
 */
import { ASSEMBLE_COUNTERS } from '../counters.ts'

const { index: C, paths } = ASSEMBLE_COUNTERS

/** Balances a slot's counters. The slot must not be running. */
export function closeBooks(counts: Float64Array): void {
  counts[C.closedCrash] += counts[C.flowsSeen] - sum(counts, 'flows.closed.')
  counts[C.flowsOpen] = 0
  counts[C.abandonedCrash] += counts[C.requests] - counts[C.pairsAssembled] - sum(counts, 'requests.abandoned.')
  counts[C.requestsWaiting] = 0
  counts[C.orphanedCrash] += counts[C.responses] - counts[C.pairsAssembled] - sum(counts, 'responses.orphaned.')
}

function sum(counts: Float64Array, prefix: string): number {
  return paths.reduce((total, path, i) => (path.startsWith(prefix) ? total + counts[i] : total), 0)
}
