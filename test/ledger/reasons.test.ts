import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASSEMBLE_COUNTERS } from '../../src/ledger/counters.ts'
import * as reasons from '../../src/ledger/reasons.ts'

/** Reason names as they appear in the ledger, where they differ from the constant's. */
const LEDGER_NAMES: Record<string, string> = { input: 'ended', vantage: 'view' }

const camelCase = (name: string): string => name.toLowerCase().replace(/_(.)/g, (_, letter) => letter.toUpperCase())

/** Ledger path of each reason with a prefix, found through its table. */
function pathsOf(prefix: string, table: readonly number[]): [string, string | undefined][] {
  return Object.entries(reasons)
    .filter(([name, value]) => name.startsWith(prefix) && name !== 'RULE_NONE' && typeof value === 'number')
    .map(([name, value]) => {
      const reason = camelCase(name.slice(prefix.length))
      return [LEDGER_NAMES[reason] ?? reason, ASSEMBLE_COUNTERS.paths[table[value as number]]]
    })
}

for (const [prefix, section, table] of [
  ['END_', 'flows.closed', reasons.CLOSED_COUNTERS],
  ['REASON_', 'requests.abandoned', reasons.ABANDONED_COUNTERS],
  ['REASON_', 'responses.orphaned', reasons.ORPHANED_COUNTERS],
  ['RULE_', 'pairs.filtered', reasons.FILTERED_COUNTERS],
] as const) {
  test(`reasons: every ${prefix} value counts under its own name in ${section}`, () => {
    const paths = pathsOf(prefix, table)
    assert.ok(paths.length > 5)
    for (const [reason, path] of paths) assert.equal(path, `${section}.${reason}`)
  })
}
