import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Arena } from '../../../src/assemble/memory/arena.ts'
import { CellPool, CONTENT_AT, LARGEST_CELL_BYTES, NO_CELL } from '../../../src/assemble/memory/cell-pool.ts'
import { Random } from '../oracle/random.ts'

const PAGE = 2048
const PAGES = 64
const arena = new Arena(4096, 0, 0, PAGES * PAGE)

test('cell pool: cells never overlap, hold what they were allocated for, and leave nothing behind', () => {
  const random = new Random(7)
  const pool = new CellPool(arena)
  const cells: { at: number; bytes: number; mark: number }[] = []
  for (let i = 0; i < 20_000; i++) {
    if (cells.length > 0 && random.oneIn(i % 4000 < 2000 ? 3 : 1.5)) {
      const [cell] = cells.splice(random.below(cells.length), 1)
      const content = arena.bytes.subarray(cell.at + CONTENT_AT, cell.at + CONTENT_AT + cell.bytes)
      assert.ok(content.every((byte) => byte === cell.mark))
      pool.free(cell.at)
      continue
    }
    const bytes = random.oneIn(3) ? random.between(1, LARGEST_CELL_BYTES) : random.between(1, 100)
    const at = pool.allocate(bytes)
    if (at === NO_CELL) continue
    assert.ok(at >= arena.pool && at + CONTENT_AT + bytes <= arena.pool + PAGES * PAGE)
    assert.ok(pool.capacity(at) >= bytes)
    const cell = { at, bytes, mark: random.below(256) }
    // With the slack that copies by words may write.
    arena.bytes.fill(cell.mark, at + CONTENT_AT, at + CONTENT_AT + bytes + 16)
    cells.push(cell)
  }
  for (const { at } of cells) pool.free(at)
  assert.equal(pool.usedBytes, 0)
})

test('cell pool: a page holds 32 cells of 64 bytes, or one of 2048, and changes its size once it is empty', () => {
  const pool = new CellPool(arena)
  const small = Array.from({ length: PAGES * 32 }, () => pool.allocate(40))
  assert.equal(new Set(small).size, PAGES * 32)
  assert.equal(pool.allocate(1), NO_CELL)
  assert.equal(pool.allocate(LARGEST_CELL_BYTES), NO_CELL)
  for (const cell of small.slice(0, 32)) pool.free(cell)
  assert.equal(pool.freePages, 1)
  const large = pool.allocate(LARGEST_CELL_BYTES)
  assert.notEqual(large, NO_CELL)
  assert.equal(pool.allocate(1), NO_CELL)
  for (const cell of [...small.slice(32), large]) pool.free(cell)
  assert.equal(pool.usedBytes, 0)
})

test('cell pool: it is low when less than an eighth is free', () => {
  const pool = new CellPool(arena)
  for (let i = 0; i < PAGES - PAGES / 8; i++) {
    assert.equal(pool.low, false)
    pool.allocate(LARGEST_CELL_BYTES)
  }
  assert.equal(pool.low, false)
  pool.allocate(1)
  assert.equal(pool.low, true)
})
