import assert from 'node:assert/strict'
import { test } from 'node:test'
import { missingParts } from '../../rig/needs.ts'

test('missingParts: lists each part once, with the way to install it and the number of tests', () => {
  const reasons = [
    'needs root (run as root), ip (install iproute2)',
    'needs ip (install iproute2)',
    'this Node.js has zstd',
  ]
  assert.deepEqual(missingParts(reasons), [
    'ip is missing: install iproute2 (2 tests)',
    'root is missing: run as root (1 test)',
    'this Node.js has zstd (1 test)',
  ])
})
