import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LineSplitter } from '../../../src/discovery/kubernetes/line-splitter.ts'

test('LineSplitter: returns the same lines for every chunk size', () => {
  const bytes = Buffer.from('{"a":1}\n{"ä":"漢"}\n\n{"b":2}\nunfinished')
  for (let size = 1; size <= bytes.length; size += 1) {
    const lines: string[] = []
    const splitter = new LineSplitter(100, (line) => lines.push(line))
    for (let at = 0; at < bytes.length; at += size) assert.equal(splitter.feed(bytes.subarray(at, at + size)), true)
    assert.deepEqual(lines, ['{"a":1}', '{"ä":"漢"}', '{"b":2}'], `${size} at a time`)
  }
})

test('LineSplitter: rejects a line over the bound, in one chunk or several', () => {
  const lines: string[] = []
  const splitter = (): LineSplitter => new LineSplitter(4, (line) => lines.push(line))
  assert.equal(splitter().feed(Buffer.from('abcd\nabcd\n')), true)
  assert.equal(splitter().feed(Buffer.from('abcde\n')), false)
  const pieces = splitter()
  assert.equal(pieces.feed(Buffer.from('abc')), true)
  assert.equal(pieces.feed(Buffer.from('de')), false)
  assert.deepEqual(lines, ['abcd', 'abcd'])
})
