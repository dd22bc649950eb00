import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c } from '../../src/kafka/crc32c.ts'

/** The program takes blocks of this size and then, at most, this many bytes (crc-core/). */
const BLOCK_BYTES = 16_384
const LAST_BYTES = BLOCK_BYTES + 448

const BYTES = new Uint8Array(3 * BLOCK_BYTES + 2000)
for (let at = 0, seed = 12_345; at < BYTES.length; at += 1) {
  seed = (Math.imul(seed, 1_103_515_245) + 12_345) | 0
  BYTES[at] = seed >>> 16
}

/** The CRC of each beginning of BYTES, by its length, bit by bit (RFC 3720 appendix B.4). */
const EXPECTED = new Uint32Array(BYTES.length + 1)
let register = 0xffffffff
for (const [at, byte] of BYTES.entries()) {
  register ^= byte
  for (let bit = 0; bit < 8; bit += 1) register = (register >>> 1) ^ (register & 1 ? 0x82f63b78 : 0)
  EXPECTED[at + 1] = ~register
}

const crcOf = (bytes: Uint8Array, headBytes = 4): number =>
  crc32c(bytes.subarray(0, headBytes), bytes.subarray(headBytes))

test('CRC-32C: the examples of RFC 3720 appendix B.4', () => {
  const rising = Uint8Array.from({ length: 32 }, (_, at) => at)
  assert.equal(crcOf(new Uint8Array(32)), 0x8a9136aa)
  assert.equal(crcOf(new Uint8Array(32).fill(255)), 0x62a8ab43)
  assert.equal(crcOf(rising), 0x46dd794e)
  assert.equal(crcOf(rising.toReversed()), 0x113fdb5c)
})

test('CRC-32C: any length, also where blocks end', () => {
  const near = (length: number): number[] => Array.from({ length: 1000 }, (_, more) => length - 500 + more)
  const short = Array.from({ length: 1000 }, (_, more) => 4 + more)
  const lengths = [
    ...short,
    ...near(BLOCK_BYTES),
    ...near(LAST_BYTES),
    ...near(2 * BLOCK_BYTES),
    ...near(BYTES.length - 600),
  ]
  for (const length of lengths) assert.equal(crcOf(BYTES.subarray(0, length)), EXPECTED[length], `${length} bytes`)
})

test('CRC-32C: the head may have any length from four bytes on, and the body none', () => {
  for (const length of [64, 5000, 2 * BLOCK_BYTES + 7]) {
    for (let head = 4; head <= 64; head += 1) {
      assert.equal(crcOf(BYTES.subarray(0, length), head), EXPECTED[length], `${head} of ${length} bytes`)
    }
  }
})

test('CRC-32C: of shared memory', () => {
  const shared = new Uint8Array(new SharedArrayBuffer(BYTES.length))
  shared.set(BYTES)
  assert.equal(crcOf(shared, 40), EXPECTED[BYTES.length])
})
