import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../oracle/random.ts'
import { PoolProgram } from './pool-program.ts'

const PAGES = 64
const REGION_BYTES = 64 * 1024

/** A pool, and an input of distinct bytes. */
function make(): PoolProgram {
  const made = new PoolProgram(PAGES, REGION_BYTES)
  made.bytes.set(
    Uint8Array.from({ length: REGION_BYTES }, (_, i) => (i * 31) ^ (i >> 8)),
    made.input,
  )
  return made
}

test('chain: holds what was appended, in pieces of any size; an append without room changes nothing', () => {
  const random = new Random(11)
  const made = make()
  const pool = made.exports
  const chains = Array.from({ length: 12 }, () => ({ chain: made.chain(), expected: Buffer.alloc(0) }))
  let refused = 0
  for (let i = 0; i < 5000; i++) {
    const held = random.pick(chains)
    if (random.oneIn(60)) {
      pool.free(held.chain)
      held.expected = Buffer.alloc(0)
    }
    const length = random.oneIn(4) ? random.between(0, 3 * pool.LARGEST_CELL.value) : random.between(0, 60)
    const from = made.input + random.below(1000)
    if (held.expected.length + length > 60_000) continue
    if (pool.append(held.chain, from, length) !== 0) {
      held.expected = Buffer.concat([held.expected, made.bytes.subarray(from, from + length)])
    } else refused++
    assert.deepEqual(made.content(held.chain), held.expected)
  }
  assert.ok(refused > 100, `${refused} refused`)
  for (const { chain, expected } of chains) {
    assert.deepEqual(made.content(chain), expected)
    pool.free(chain)
  }
  assert.equal(pool.usedBytes(), 0)
})

test('chain: a cell that was written in place is extended at its end', () => {
  const made = make()
  const chain = made.chain()
  made.bytes.set(Buffer.from('head'), made.exports.claim(chain, 100))
  made.exports.filled(chain, 4)
  made.exports.append(chain, made.input, 3000)
  const expected = Buffer.concat([Buffer.from('head'), made.bytes.subarray(made.input, made.input + 3000)])
  assert.deepEqual(made.content(chain), expected)
})

test('chain: bytes that arrive one at a time use few cells', () => {
  const made = make()
  const chain = made.chain()
  for (let i = 0; i < 10_000; i++) made.exports.append(chain, made.input, 1)
  assert.ok(made.exports.usedBytes() <= 11 * 2048, `${made.exports.usedBytes()} bytes`)
})
