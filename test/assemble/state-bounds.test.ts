/** How many connections and exchanges an assembler can hold. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemblerMemory } from '../../src/assemble/assembler.ts'
import {
  SIZE_OF_CONNECTION,
  SIZE_OF_DOUBTS,
  SIZE_OF_EXCHANGE,
  SIZE_OF_EXTRAS,
  SIZE_OF_FLOW,
  SIZE_OF_MESSAGE,
  SIZE_OF_PROGRESS,
  SIZE_OF_RARE_STATE,
  SIZE_OF_TAIL,
} from '../../src/assemble/core/record-sizes.ts'
import { LARGEST_MEMORY_BYTES, stateBounds } from '../../src/assemble/state-bounds.ts'
import { assemblerOptions } from '../support/assemble-harness.ts'

const MIB = 1024 * 1024

test('state bounds: divides the memory for state, and never exceeds the configured limits', () => {
  const stateBytes = 64 * MIB
  const bounds = stateBounds(assemblerOptions({ stateBytes, flows: 1_000_000 }))
  const { connections, exchanges, messages, rareStates } = bounds
  const used =
    connections * (SIZE_OF_FLOW + SIZE_OF_TAIL + SIZE_OF_EXTRAS + SIZE_OF_CONNECTION + SIZE_OF_DOUBTS) +
    exchanges * (SIZE_OF_EXCHANGE + SIZE_OF_MESSAGE) +
    messages * SIZE_OF_PROGRESS +
    rareStates * SIZE_OF_RARE_STATE
  assert.ok(used <= stateBytes)
  assert.ok(used > 0.95 * stateBytes)
  assert.ok(exchanges * (SIZE_OF_EXCHANGE + SIZE_OF_MESSAGE) > stateBytes / 8)
  assert.equal(stateBounds(assemblerOptions({ stateBytes: 1024 * MIB, flows: 1000 })).connections, 1000)
  assert.deepEqual(stateBounds(assemblerOptions({ stateBytes: 0, flows: 1000 })), {
    connections: 16,
    exchanges: 16,
    messages: 16,
    rareStates: 256,
  })
})

test('state bounds: a connection between two messages needs 160 bytes, 184 with IPv6, and 288 with a waiting request', () => {
  const idle = SIZE_OF_FLOW + SIZE_OF_CONNECTION
  assert.deepEqual([idle, idle + SIZE_OF_TAIL, idle + SIZE_OF_EXCHANGE], [160, 184, 288])
})

test('state bounds: the regions are addressable at the smallest and the largest limits of the configuration', () => {
  for (const [messageBytes, pairBytes, bytes] of [
    [1024, 1024, 4 * MIB],
    [MIB, MIB, 64 * 1024 * MIB],
    [256 * MIB, 512 * MIB, 64 * 1024 * MIB],
  ]) {
    const options = { messageBytes, pairBytes, stateBytes: bytes / 3, poolBytes: bytes / 1.5, flows: 10_000_000 }
    const { memory } = assemblerMemory(assemblerOptions(options))
    assert.ok(memory.buffer.byteLength >= Math.min(bytes, LARGEST_MEMORY_BYTES - 128 * 1024))
    assert.ok(memory.buffer.byteLength <= LARGEST_MEMORY_BYTES)
  }
})
