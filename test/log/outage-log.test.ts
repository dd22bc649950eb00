import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OutageLog } from '../../src/log/outage-log.ts'

const HOUR = 60 * 60_000
const failure = (kind: string, message = kind) => ({ kind, message, hint: 'a hint' })

function make() {
  const lines: [string, unknown][] = []
  const add = (message: string, fields?: unknown): void => void lines.push([message, fields])
  const clock = { now: 0 }
  return { lines, clock, outages: new OutageLog({ info: add, warn: add }, () => clock.now) }
}

test('OutageLog: logs the first failure of a kind, then one per hour with the number of suppressed ones', () => {
  const { lines, clock, outages } = make()
  for (; clock.now <= HOUR; clock.now += 1000) outages.failed(failure('unreachable', `attempt at ${clock.now}`))
  assert.deepEqual(lines, [
    ['attempt at 0', { hint: 'a hint' }],
    [`attempt at ${HOUR}`, { hint: 'a hint', repeated: 3599 }],
  ])
})

test('OutageLog: logs two kinds of failure that alternate once each', () => {
  const { lines, outages } = make()
  for (let i = 0; i < 100; i++) {
    outages.failed(failure('unreachable'))
    outages.failed(failure('forbidden'))
  }
  assert.deepEqual(
    lines.map(([message]) => message),
    ['unreachable', 'forbidden'],
  )
})

test('OutageLog: logs the end of an outage once, with its duration, and the next outage at once', () => {
  const { lines, clock, outages } = make()
  outages.recovered('there was no outage')
  outages.failed(failure('unreachable'))
  clock.now = 10_400
  outages.failed(failure('forbidden'))
  outages.recovered('it works')
  outages.recovered('it works')
  outages.failed(failure('unreachable'))
  assert.deepEqual(lines, [
    ['unreachable', { hint: 'a hint' }],
    ['forbidden', { hint: 'a hint' }],
    ['it works', { afterSeconds: 10 }],
    ['unreachable', { hint: 'a hint' }],
  ])
})
