import assert from 'node:assert/strict'
import { test } from 'node:test'
import { progressLine } from './progress.ts'
import { FileTimes, nextFile } from './schedule.ts'

test('schedule: runs the longest file first, by the last run or else by a guess', () => {
  const times = new FileTimes({ 'cli/read': 90, 'e2e/compose': 1 })
  const names = ['e2e/compose', 'cli/read', 'net/ip', 'golden/golden']
  assert.deepEqual(times.longestFirst(names), ['cli/read', 'golden/golden', 'net/ip', 'e2e/compose'])
})

test('schedule: runs no two files that need the same thing', () => {
  const left = ['e2e/agent-kube', 'e2e/live-cap', 'cli/read']
  assert.equal(nextFile(left, ['cli/pods', 'e2e/live-load']), 'cli/read')
  assert.equal(nextFile(left, ['cli/pods', 'e2e/live-load']), null)
  assert.equal(nextFile(left, ['cli/pods']), 'e2e/live-cap')
  assert.equal(nextFile(left, []), 'e2e/agent-kube')
  assert.deepEqual(left, [])
})

test('progress: shows what runs and how much is left', () => {
  const running = [{ name: 'golden/golden', seconds: 12.4 }]
  assert.equal(
    progressLine({ done: 57, total: 168, running, secondsLeft: 200 }),
    '57 of 168 files done, about 4 min left; running: golden/golden (12 s)',
  )
  assert.match(progressLine({ done: 1, total: 2, running, secondsLeft: 33 }), /about 40 s left/)
})
