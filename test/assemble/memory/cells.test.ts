import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../oracle/random.ts'
import { PoolProgram } from './pool-program.ts'

const PAGE = 2048
const PAGES = 64
const CONTENT_AT = 8
const NO_CELL = 0

test('cell pool: cells never overlap, keep their content, and are all freed', () => {
  const random = new Random(7)
  const { exports: pool, bytes: memory, pool: start } = new PoolProgram(PAGES, 0)
  const largest = pool.LARGEST_CELL.value
  const cells: { at: number; bytes: number; mark: number }[] = []
  for (let i = 0; i < 20_000; i++) {
    if (cells.length > 0 && random.oneIn(i % 4000 < 2000 ? 3 : 1.5)) {
      const [cell] = cells.splice(random.below(cells.length), 1)
      const content = memory.subarray(cell.at + CONTENT_AT, cell.at + CONTENT_AT + cell.bytes)
      assert.ok(content.every((byte) => byte === cell.mark))
      pool.release(cell.at)
      continue
    }
    const bytes = random.oneIn(3) ? random.between(1, largest) : random.between(1, 100)
    const at = pool.allocate(bytes)
    if (at === NO_CELL) continue
    assert.ok(at >= start && at + CONTENT_AT + bytes <= start + PAGES * PAGE)
    assert.ok(pool.capacity(at) >= bytes)
    const cell = { at, bytes, mark: random.below(256) }
    // Includes the slack that copies in steps of 16 bytes may write.
    memory.fill(cell.mark, at + CONTENT_AT, at + CONTENT_AT + bytes + 16)
    cells.push(cell)
  }
  for (const { at } of cells) pool.release(at)
  assert.equal(pool.usedBytes(), 0)
})

test('cell pool: a page holds 32 cells of 64 bytes, or one of 2048, and can change its cell size once it is empty', () => {
  const { exports: pool } = new PoolProgram(PAGES, 0)
  const largest = pool.LARGEST_CELL.value
  const small = Array.from({ length: PAGES * 32 }, () => pool.allocate(40))
  assert.equal(new Set(small).size, PAGES * 32)
  assert.equal(pool.allocate(1), NO_CELL)
  assert.equal(pool.allocate(largest), NO_CELL)
  for (const cell of small.slice(0, 32)) pool.release(cell)
  assert.equal(pool.freePages(), 1)
  const large = pool.allocate(largest)
  assert.notEqual(large, NO_CELL)
  assert.equal(pool.allocate(1), NO_CELL)
  for (const cell of [...small.slice(32), large]) pool.release(cell)
  assert.equal(pool.usedBytes(), 0)
})

test('cell pool: is low when less than an eighth is free', () => {
  const { exports: pool } = new PoolProgram(PAGES, 0)
  for (let i = 0; i < PAGES - PAGES / 8; i++) {
    assert.equal(pool.isLow(), 0)
    pool.allocate(pool.LARGEST_CELL.value)
  }
  assert.equal(pool.isLow(), 0)
  pool.allocate(1)
  assert.equal(pool.isLow(), 1)
})
