import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CpuSums } from './cpu-times.ts'

const RUNNER = 1000

/** Sums over samples, each of which lists processes as [id, parent, CPU seconds]. */
function secondsAfter(...samples: [number, number, number][][]): Record<string, number> {
  const sums = new CpuSums(RUNNER, (pid) => `file ${pid}`)
  for (const sample of samples) {
    sums.add(new Map(sample.map(([pid, parent, cpuSeconds]) => [pid, { parent, cpuSeconds }] as const)))
  }
  return Object.fromEntries(sums.seconds)
}

test('CPU times: a file is charged for its own processes, and no others', () => {
  const sample: [number, number, number][] = [
    [RUNNER, 1, 9],
    [12, 11, 4],
    [11, 10, 2],
    [10, RUNNER, 1],
    [20, RUNNER, 8],
    [30, 1, 16],
  ]
  assert.deepEqual(secondsAfter(sample), { 'file 10': 7, 'file 20': 8 })
})

test('CPU times: an ended child counts once, in the time of the parent that waited for it', () => {
  const before: [number, number, number][] = [
    [10, RUNNER, 1],
    [11, 10, 4],
  ]
  assert.deepEqual(secondsAfter(before, [[10, RUNNER, 5.5]]), { 'file 10': 5.5 })
})

test('CPU times: a process whose parent has ended still counts for its file', () => {
  const tree: [number, number, number][] = [
    [10, RUNNER, 1],
    [11, 10, 2],
    [12, 11, 3],
  ]
  assert.deepEqual(secondsAfter(tree, [[12, 1, 4]]), { 'file 10': 7 })
  assert.deepEqual(secondsAfter(tree, [[12, 1, 4]], []), { 'file 10': 7 })
})

test('CPU times: a process that reuses the id of an ended one is charged to its own file', () => {
  assert.deepEqual(
    secondsAfter(
      [[10, RUNNER, 1]],
      [],
      [
        [10, 20, 2],
        [20, RUNNER, 4],
      ],
    ),
    { 'file 10': 1, 'file 20': 6 },
  )
})
