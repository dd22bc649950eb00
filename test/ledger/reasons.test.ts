import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASSEMBLE_COUNTERS } from '../../src/ledger/counters.ts'
import * as reasons from '../../src/ledger/reasons.ts'

const C = ASSEMBLE_COUNTERS.index
/** Reason names as they appear in the ledger, where they differ from the constant's. */
const LEDGER_NAMES: Record<string, string> = { input: 'ended', vantage: 'view' }

const camelCase = (name: string): string => name.toLowerCase().replace(/_(.)/g, (_, letter) => letter.toUpperCase())

for (const [prefix, section, first] of [
  ['END_', 'flows.closed', C.closedFin],
  ['REASON_', 'requests.abandoned', C.abandonedTimeout],
  ['REASON_', 'responses.orphaned', C.orphanedTimeout],
  ['RULE_', 'pairs.filtered', C.filteredPairBytes - reasons.RULE_PAIR_BYTES],
] as const) {
  test(`reasons: every ${prefix} value counts under its own name in ${section}`, () => {
    const values = Object.entries(reasons).filter(([name]) => name.startsWith(prefix) && name !== 'RULE_NONE')
    assert.ok(values.length > 5)
    for (const [name, value] of values) {
      const reason = camelCase(name.slice(prefix.length))
      assert.equal(ASSEMBLE_COUNTERS.paths[first + value], `${section}.${LEDGER_NAMES[reason] ?? reason}`)
    }
  })
}
