/** Checks that a run's ledger balances (docs/ledger.md). */
import { AssertionError } from 'node:assert/strict'
import { count, type Ledger } from '../../src/ledger/ledger.ts'

/** The left side of each law is the sum of its right side. */
const LAWS: readonly [string, readonly string[]][] = [
  ['frames.seen', ['frames.queued', 'frames.skipped', 'frames.dropped']],
  ['frames.queued', ['frames.consumed', 'frames.lost']],
  ['flows.seen', ['flows.open', 'flows.closed']],
  ['messages.requests', ['pairs.assembled', 'requests.abandoned', 'requests.waiting']],
  ['messages.responses', ['pairs.assembled', 'responses.orphaned']],
  ['pairs.assembled', ['pairs.kept', 'pairs.filtered']],
  ['pairs.kept', ['pairs.shipped', 'pairs.dropped', 'pairs.queued']],
]

/** Counts that are 0 after a run, because nothing waits any more. */
const EMPTY_AT_THE_END = ['flows.open', 'requests.waiting', 'pairs.queued']

/**
 * Checks the ledger of a run that has ended.
 *
 * @throws AssertionError that names every broken law with both of its sides, and every count that should be 0 again
 */
export function assertLaws(ledger: Ledger): void {
  const broken = LAWS.flatMap(([left, right]) => {
    const [one, other] = [count(ledger, left), right.reduce((sum, path) => sum + count(ledger, path), 0)]
    return one === other ? [] : [`${left} = ${right.join(' + ')}: ${one} is not ${other}`]
  })
  for (const path of EMPTY_AT_THE_END) {
    const left = count(ledger, path)
    if (left !== 0) broken.push(`${path} is ${left} after the run, not 0`)
  }
  for (const path of negativeCounts(ledger, '')) broken.push(`${path} is negative`)
  if (broken.length === 0) return
  throw new AssertionError({ message: `${broken.join('\n')}\n${JSON.stringify(ledger, null, 1)}`, actual: ledger })
}

function negativeCounts(ledger: Ledger, prefix: string, found: string[] = []): string[] {
  for (const [name, value] of Object.entries(ledger)) {
    if (typeof value === 'object') negativeCounts(value, `${prefix}${name}.`, found)
    else if (value < 0) found.push(`${prefix}${name}`)
  }
  return found
}
