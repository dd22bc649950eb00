/** Holds a run's ledger to the laws of the contract. */
import { AssertionError } from 'node:assert/strict'
import { brokenLaws, count, type Ledger } from '../../src/ledger/ledger.ts'

/** Counts that are 0 once a run has ended: nothing waits any more. */
const EMPTY_AT_THE_END = ['flows.open', 'requests.waiting', 'pairs.queued']

/**
 * @param ledger of a run that has ended
 * @throws AssertionError that names every broken law with both of its sides, and every count that should have come back to 0
 */
export function assertLaws(ledger: Ledger): void {
  const broken = brokenLaws(ledger).map(({ law, left, right }) => `${law}: ${left} is not ${right}`)
  for (const path of EMPTY_AT_THE_END) {
    const left = count(ledger, path)
    if (left !== 0) broken.push(`${path} is ${left} after the run, not 0`)
  }
  for (const path of negativeCounts(ledger, '')) broken.push(`${path} is negative`)
  if (broken.length === 0) return
  throw new AssertionError({ message: `${broken.join('\n')}\n${JSON.stringify(ledger, null, 1)}`, actual: ledger })
}

function negativeCounts(ledger: Ledger, prefix: string): string[] {
  return Object.entries(ledger).flatMap(([name, value]) => {
    if (typeof value === 'object') return negativeCounts(value, `${prefix}${name}.`)
    return value < 0 ? [`${prefix}${name}`] : []
  })
}
