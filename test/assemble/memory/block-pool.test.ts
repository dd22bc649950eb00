import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arena } from '../../../src/assemble/memory/arena.ts'
import { BLOCK_BYTES, BlockPool, Chain } from '../../../src/assemble/memory/block-pool.ts'
import { CellPool } from '../../../src/assemble/memory/cell-pool.ts'
import { Random } from '../oracle/random.ts'

const PAGES = 64
const arena = new Arena(64 * 1024, 64 * 1024, 0, PAGES * 2048)
arena.bytes.set(
  Uint8Array.from({ length: arena.inputBytes }, (_, i) => (i * 31) ^ (i >> 8)),
  arena.input,
)

const content = (pool: BlockPool, chain: Chain): Buffer => {
  pool.copyOut(chain, arena.heads)
  return Buffer.from(arena.bytes.subarray(arena.heads, arena.heads + chain.length))
}

test('block pool: chains hold what was appended, in any pieces, and an append without room changes nothing', () => {
  const random = new Random(11)
  const cells = new CellPool(arena)
  const pool = new BlockPool(arena, cells)
  const chains = Array.from({ length: 12 }, () => ({ chain: new Chain(), expected: Buffer.alloc(0) }))
  let refused = 0
  for (let i = 0; i < 5000; i++) {
    const held = random.pick(chains)
    if (random.oneIn(60)) {
      pool.free(held.chain)
      held.expected = Buffer.alloc(0)
    }
    const length = random.oneIn(4) ? random.between(0, 3 * BLOCK_BYTES) : random.between(0, 60)
    const from = arena.input + random.below(1000)
    if (held.expected.length + length > 60_000) continue
    if (pool.append(held.chain, from, length)) {
      held.expected = Buffer.concat([held.expected, arena.bytes.subarray(from, from + length)])
    } else refused++
    assert.deepEqual(content(pool, held.chain), held.expected)
  }
  assert.ok(refused > 100, `${refused} refused`)
  for (const { chain, expected } of chains) {
    assert.deepEqual(content(pool, chain), expected)
    pool.free(chain)
  }
  assert.equal(cells.usedBytes, 0)
})

test('block pool: a block that is written in place is extended where it ends', () => {
  const pool = new BlockPool(arena, new CellPool(arena))
  const chain = new Chain()
  arena.bytes.set(Buffer.from('head'), pool.claim(chain, 100))
  pool.filled(chain, 4)
  pool.append(chain, arena.input, 3000)
  const expected = Buffer.concat([Buffer.from('head'), arena.bytes.subarray(arena.input, arena.input + 3000)])
  assert.deepEqual(content(pool, chain), expected)
})

test('block pool: bytes that arrive one at a time use few cells', () => {
  const cells = new CellPool(arena)
  const pool = new BlockPool(arena, cells)
  const chain = new Chain()
  for (let i = 0; i < 10_000; i++) pool.append(chain, arena.input, 1)
  assert.ok(cells.usedBytes <= 11 * 2048, `${cells.usedBytes} bytes`)
})
