/** docs/metrics.md against the code; its tables are generated (scripts/generated.ts). */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { LIVE_SILENCE_MS, NAMES_GRACE_MS, SCAN_SILENCE_MS } from '../../src/admin/health.ts'
import { METRIC_GROUPS } from '../../src/admin/metrics.ts'

const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8')
const metrics = Object.values(METRIC_GROUPS).flat()

test('docs/metrics.md: text and alerts name only metrics that exist', () => {
  const known = new Set(metrics.map(({ name }) => name))
  const named = page.match(/\b(?:interceptor|process|nodejs)_[a-z_]*[a-z]\b/g) ?? []
  assert.deepEqual(
    named.filter((name) => !known.has(name) && name !== 'interceptor_interface'),
    [],
  )
})

test('docs/metrics.md: the bounds of /livez and /readyz equal those of the code', () => {
  for (const [sentence, ms] of [
    [/has sent no heartbeat for (\d+) s/, LIVE_SILENCE_MS],
    [/no scan has ended for (\d+) s/, SCAN_SILENCE_MS],
    [/in the first (\d+) s/, NAMES_GRACE_MS],
  ] as const) {
    assert.equal(Number(sentence.exec(page)?.[1]) * 1000, ms, String(sentence))
  }
})
