/** A run that is ended by a signal: it is drained, then stopped, then abandoned. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { withResolvers } from '../../src/async/with-resolvers.ts'
import { untilDrained } from '../../src/cli/until-done.ts'
import { createLogger } from '../../src/log/logger.ts'
import type { Outcome } from '../../src/supervisor/options.ts'

const DRAIN_MS = 1000
const OUTCOME: Outcome = { ledger: {}, damage: [], exitCode: 0, failure: null }

/** A run that ends at the test's command, and the calls that it received. */
function startRun(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { promise: done, resolve: end } = withResolvers<Outcome>()
  const asked: string[] = []
  const lines: string[] = []
  const handle = { done, drain: () => void asked.push('drain'), stop: () => void asked.push('stop') }
  const log = createLogger({ level: 'info', form: 'lines', color: false, write: (text) => void lines.push(text) })
  const abort = new AbortController()
  return { asked, lines, end, abort, ended: untilDrained(handle, DRAIN_MS, log, abort.signal) }
}

test('until drained: a run that ends by itself is neither drained nor stopped', async (t) => {
  const { asked, end, ended } = startRun(t)
  end(OUTCOME)
  assert.equal(await ended, OUTCOME)
  t.mock.timers.tick(10 * DRAIN_MS)
  assert.deepEqual(asked, [])
})

test('until drained: drains at the signal, and does not stop a run that has drained in time', async (t) => {
  const { asked, lines, end, abort, ended } = startRun(t)
  abort.abort()
  assert.deepEqual(asked, ['drain'])
  t.mock.timers.tick(DRAIN_MS - 1)
  end(OUTCOME)
  assert.equal(await ended, OUTCOME)
  t.mock.timers.tick(10 * DRAIN_MS)
  assert.deepEqual([asked, lines], [['drain'], []])
})

test('until drained: stops a run that does not drain in time, and returns if it does not stop', async (t) => {
  const { asked, lines, abort, ended } = startRun(t)
  abort.abort()
  t.mock.timers.tick(DRAIN_MS)
  assert.deepEqual(asked, ['drain', 'stop'])
  assert.match(lines.join(''), /not drained within shutdown\.timeout \(1000 ms\)/)
  await setImmediate()
  t.mock.timers.tick(4000)
  assert.equal(await ended, null)
})
