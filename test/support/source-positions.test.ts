import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ROOT } from '../../rig/root.ts'
import { toSourcePositions } from './source-positions.ts'

const MARK = 'the error of source positions'
const failure = (): Error => new Error(MARK)

test('source positions: a stack contains the lines of the sources', () => {
  const source = 'test/support/source-positions.test.ts'
  const lines = readFileSync(join(ROOT, source), 'utf8').split('\n')
  const line = 1 + lines.findIndex((text) => text.includes('new Error(MARK)'))
  const stack = toSourcePositions(failure().stack ?? '', ROOT)
  assert.ok(stack.includes(`${source}:${line}:`), stack)
  assert.ok(!stack.includes('source-positions.test.js'), stack)
})

test('source positions: leaves other positions and texts unchanged', () => {
  const compiled = fileURLToPath(import.meta.url)
  const text = `at x (node:internal/a:1:2)\n/nowhere/x.js:3:4 and ${compiled}, 12:34`
  assert.equal(toSourcePositions(text, ROOT), text)
})
