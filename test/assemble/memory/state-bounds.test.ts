/** The memory of a connection and of an exchange on V8's heap, which bounds their numbers. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Arena } from '../../../src/assemble/memory/arena.ts'
import { EXCHANGE_BYTES, OBJECT_BYTES, stateBounds, WAITING_BYTES } from '../../../src/assemble/memory/state-bounds.ts'
import { PacketTime } from '../../../src/assemble/packet-time.ts'
import { FLOW_BYTES, FlowTable } from '../../../src/assemble/tcp/flow-table.ts'

const MIB = 1024 * 1024
const PROGRAM = fileURLToPath(new URL('../../support/state-bytes-program.js', import.meta.url))
/** What is measured as a part of what the constants count; the rest is for tables that have just grown. */
const LEAST_PART = 0.68
const MOST_PART = 0.85

/** In one thread, V8 collects and compiles at the same points in each run. */
function bytesEach(requests: number, responses: number): number {
  const args = ['--expose-gc', '--single-threaded', PROGRAM, String(requests), String(responses)]
  return Number(execFileSync(process.execPath, args, { encoding: 'utf8' }))
}

function assertCounted(what: string, bytes: number, counted: number): void {
  const text = `${bytes} bytes for ${what}, of which the constant counts ${counted}`
  assert.ok(bytes < counted * MOST_PART, `${text}: raise the constant`)
  assert.ok(bytes > counted * LEAST_PART, `${text}: lower the constant`)
}

test('state bounds: connections and exchanges need no more memory than they are counted with', () => {
  const each = bytesEach(4, 0) - bytesEach(3, 0)
  assertCounted('an exchange', each, EXCHANGE_BYTES)
  assertCounted('a connection', bytesEach(0, 0), OBJECT_BYTES)
})

test('state bounds: idle connections and waiting requests need no more than their records, whose size is counted', () => {
  const idle = bytesEach(1, 1)
  assert.ok(idle < 16, `${idle} bytes for an idle connection`)
  const waiting = bytesEach(1, 0)
  assert.ok(waiting < WAITING_BYTES, `${waiting} bytes for a waiting request`)
  const flows = 100_000
  const arena = new Arena(0, 0, 0, 0)
  const before = process.memoryUsage().arrayBuffers
  const table = new FlowTable(arena, new PacketTime(), flows, 16)
  const bytes = (process.memoryUsage().arrayBuffers - before) / flows
  assert.ok(bytes <= FLOW_BYTES && bytes > FLOW_BYTES * 0.95, `${bytes} bytes for a record of ${FLOW_BYTES}`)
  assert.equal(table.size, 0)
})

test('state bounds: memory for state is divided; what may be tracked anyway is the most', () => {
  const { connections, objects, exchanges } = stateBounds(64 * MIB, 100_000)
  assert.equal(connections, 100_000)
  assert.ok(
    connections * (FLOW_BYTES + WAITING_BYTES) + objects * OBJECT_BYTES + exchanges * EXCHANGE_BYTES <= 64 * MIB,
  )
  assert.equal(stateBounds(1024 * MIB, 1000).connections, 1000)
  assert.deepEqual(stateBounds(0, 1000), { connections: 16, objects: 16, exchanges: 16 })
})
