import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestPath } from '../../src/select/request-path.ts'

test('request path: is found in every form of a target', () => {
  for (const [target, path] of [
    ['/a/b?c#d', '/a/b'],
    ['/a/', '/a/'],
    ['/', '/'],
    ['http://host:80/a/b?c', '/a/b'],
    ['http://host', ''],
    ['http://host?q', ''],
    ['*', '*'],
    ['host:443', 'host:443'],
    ['/ä?x', '/ä'],
    ['', ''],
  ]) {
    assert.equal(requestPath(target), path, target)
  }
})
