import assert from 'node:assert/strict'
import { test } from 'node:test'
import { progressLine } from './progress.ts'
import { FileTimes, groupsOf, nextGroup } from './schedule.ts'

test('schedule: runs the longest group first, by the last run or else by a guess', () => {
  const times = new FileTimes({ 'cli/read': 90, 'e2e/compose': 1, 'net/ip': 30, 'net/ports': 30 })
  const groups = [['e2e/compose'], ['net/ip', 'net/ports'], ['cli/read'], ['golden/golden']]
  assert.deepEqual(times.longestFirst(groups), [
    ['cli/read'],
    ['net/ip', 'net/ports'],
    ['golden/golden'],
    ['e2e/compose'],
  ])
})

test('schedule: runs files that need the same resource before a longer one that needs none', () => {
  const times = new FileTimes({ 'cli/read': 90, 'e2e/live-cap': 40, 'e2e/live-load': 60, 'golden/golden': 70 })
  const groups = [['golden/golden'], ['e2e/live-cap'], ['cli/read'], ['e2e/live-load']]
  assert.deepEqual(times.longestFirst(groups).flat(), ['e2e/live-load', 'e2e/live-cap', 'cli/read', 'golden/golden'])
})

test('schedule: runs no two files that need the same resource', () => {
  const left = [['e2e/agent-kube'], ['net/ip', 'e2e/live-cap'], ['cli/read']]
  assert.deepEqual(nextGroup(left, ['cli/pods', 'e2e/live-load']), ['cli/read'])
  assert.equal(nextGroup(left, ['cli/pods', 'e2e/live-load']), null)
  assert.deepEqual(nextGroup(left, ['cli/pods']), ['net/ip', 'e2e/live-cap'])
  assert.deepEqual(nextGroup(left, []), ['e2e/agent-kube'])
  assert.deepEqual(left, [])
})

test('schedule: puts every file into one group, with files of the same folder', () => {
  const names = Array.from({ length: 50 }, (_, i) => `file ${i}`)
  const groups = groupsOf(names)
  assert.deepEqual(groups.flat(), names)
  assert.deepEqual(
    groups.map(({ length }) => length),
    [24, 24, 2],
  )
})

test('progress: shows the running files and the remaining time', () => {
  const running = [{ name: 'golden/golden', seconds: 12.4 }]
  assert.equal(
    progressLine({ done: 57, total: 168, running, secondsLeft: 200 }),
    '57 of 168 files done, about 4 min left; running: golden/golden (12 s)',
  )
  assert.match(progressLine({ done: 1, total: 2, running, secondsLeft: 33 }), /about 40 s left/)
})
