import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MOST_REPEATED, repeatFailed } from './repeat.ts'
import type { FileResult } from './test-file.ts'

const result = (name: string, ...failed: string[]): FileResult => ({
  name,
  passed: 2,
  failures: failed.map((title) => ({ title, error: 'no' })),
  skips: [],
  failedFirst: [],
  output: '',
  seconds: 1,
})

test('repeat: a file that passes the second time counts as passed, and names what had failed', async () => {
  const repeated: string[] = []
  const results = await repeatFailed([result('a'), result('b', 'one', 'two')], async (name) => {
    repeated.push(name)
    return result(name)
  })
  assert.deepEqual(repeated, ['b'])
  assert.deepEqual(results, [result('a'), { ...result('b'), failedFirst: ['one', 'two'] }])
})

test('repeat: a file that fails again counts as failed, with its second failures', async () => {
  const results = await repeatFailed([result('a', 'one')], async (name) => result(name, 'two'))
  assert.deepEqual(results, [result('a', 'two')])
})

test('repeat: files run one after the other', async () => {
  let running = 0
  await repeatFailed([result('a', 'one'), result('b', 'one')], async (name) => {
    running += 1
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(running, 1)
    running -= 1
    return result(name)
  })
})

test('repeat: repeats no file if many failed', async () => {
  const results = Array.from({ length: MOST_REPEATED + 1 }, (_, i) => result(`file ${i}`, 'one'))
  assert.deepEqual(await repeatFailed(results, () => assert.fail('repeated')), results)
})
