/** What the state of a connection and of an exchange takes on V8's heap, by which their numbers are bounded. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CONNECTION_BYTES, EXCHANGE_BYTES, stateBounds } from '../../../src/assemble/memory/state-bounds.ts'

const MIB = 1024 * 1024
const PROGRAM = fileURLToPath(new URL('../../support/state-bytes-program.js', import.meta.url))
/** What is measured as a part of what the constants count; the rest is for tables that have just grown. */
const LEAST_PART = 0.68
const MOST_PART = 0.85

function bytesEach(requests: number, responses: number): number {
  const args = ['--expose-gc', PROGRAM, String(requests), String(responses)]
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

function assertCounted(what: string, bytes: number, counted: number): void {
  const text = `${bytes} bytes for ${what}, of which the constant counts ${counted}`
  assert.ok(bytes < counted * MOST_PART, `${text}: raise the constant`)
  assert.ok(bytes > counted * LEAST_PART, `${text}: lower the constant`)
}

test('state bounds: connections and exchanges take no more than they count', () => {
  const idle = bytesEach(1, 1)
  assertCounted('a connection', idle, CONNECTION_BYTES)
  assertCounted('an exchange', (bytesEach(3, 0) - idle) / 3, EXCHANGE_BYTES)
})

test('state bounds: memory for state is divided; what may be tracked anyway is the most', () => {
  const { connections, exchanges } = stateBounds(64 * MIB, 100_000)
  assert.ok(connections * CONNECTION_BYTES + exchanges * EXCHANGE_BYTES <= 64 * MIB)
  assert.equal(stateBounds(1024 * MIB, 1000).connections, 1000)
  assert.deepEqual(stateBounds(0, 1000), { connections: 16, exchanges: 16 })
})
