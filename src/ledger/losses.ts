/** What a run has lost: traffic that it was meant to capture, and that a bound or a failure kept from the output. */
import { count, type Ledger, reasonsOf } from './ledger.ts'

/** Sections of which every reason is a loss. */
const SECTIONS = ['pairs.dropped', 'frames.dropped', 'frames.lost']

const PLAIN = [
  'frames.kernelDropped',
  'frames.kernelShed',
  'flows.closed.evicted',
  'flows.closed.crash',
  'segments.noRoom',
  'gaps.bound',
  'gaps.evicted',
  'requests.abandoned.evicted',
  'requests.abandoned.crash',
  'responses.orphaned.evicted',
  'responses.orphaned.crash',
]

/** The counts of all losses that are not 0, by their names in the ledger, such as `pairs.dropped.ring`. */
export function lossesOf(ledger: Ledger): Record<string, number> {
  const reasons = SECTIONS.flatMap((section) =>
    Object.entries(reasonsOf(ledger, section)).map(([reason, lost]) => [`${section}.${reason}`, lost] as const),
  )
  const plain = PLAIN.map((path) => [path, count(ledger, path)] as const).filter(([, lost]) => lost > 0)
  return Object.fromEntries([...reasons, ...plain])
}
