import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Failure } from '../../src/discovery/kubernetes/api-error.ts'
import { OutageLog } from '../../src/log/outage-log.ts'

const HOUR = 60 * 60_000
const failure = (kind: Failure['kind']): Failure => ({ kind, message: kind, hint: 'mend it' })

test('OutageLog: a failure is told once, hourly with the number held back, and its end', () => {
  const lines: [string, unknown][] = []
  const note = (message: string, fields?: unknown): void => void lines.push([message, fields])
  let now = 0
  const outages = new OutageLog({ info: note, warn: note }, () => now)
  outages.recovered('never failed')
  for (now = 0; now < 10_000; now += 1000) outages.failed(failure('unreachable'))
  outages.failed(failure('forbidden'))
  now = HOUR / 2
  outages.failed(failure('forbidden'))
  now = HOUR + 10_000
  outages.failed(failure('forbidden'))
  outages.recovered('it works')
  outages.recovered('it works')
  assert.deepEqual(lines, [
    ['unreachable', { hint: 'mend it' }],
    ['forbidden', { hint: 'mend it', repeated: 9 }],
    ['forbidden', { hint: 'mend it', repeated: 1 }],
    ['it works', { afterSeconds: 3610 }],
  ])
})
