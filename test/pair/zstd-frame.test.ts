import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as zlib from 'node:zlib'
import { isWholeZstd } from '../../src/pair/zstd-frame.ts'

const compress = (zlib as { zstdCompressSync?: (bytes: Uint8Array) => Buffer }).zstdCompressSync

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** RFC 8878 by hand: one raw block in a single segment; a checksum; one repeated byte with a window; a skippable frame. */
const FRAMES: Record<string, Buffer> = {
  'a raw block': hex('28b52ffd 20 03 190000 616263'),
  'no content': hex('28b52ffd 20 00 010000'),
  'a checksum': hex('28b52ffd 24 03 190000 616263 00000000'),
  'a repeated byte': hex('28b52ffd 00 58 230000 78'),
  'two blocks': hex('28b52ffd 00 58 080000 61 110000 6263'),
  'a dictionary and a long content size': hex('28b52ffd a3 01000000 03000000 190000 616263'),
  'a skippable frame': hex('502a4d18 02000000 6162'),
}

for (const [what, frame] of Object.entries(FRAMES)) {
  test(`zstd frame: ${what} is whole, unless it is truncated or followed by other bytes`, () => {
    assert.equal(isWholeZstd(frame), true)
    for (let length = 0; length < frame.length; length += 1) assert.equal(isWholeZstd(frame.subarray(0, length)), false)
    assert.equal(isWholeZstd(Buffer.concat([frame, frame])), true)
    assert.equal(isWholeZstd(Buffer.concat([frame, Buffer.from('x')])), false)
  })
}

test('zstd frame: rejects a reserved block and another magic number', () => {
  assert.equal(isWholeZstd(hex('28b52ffd 20 03 1f0000 616263')), false)
  assert.equal(isWholeZstd(hex('28b52ffe 20 03 190000 616263')), false)
})

test('zstd frame: accepts the output of libzstd', {
  skip: compress === undefined && 'zstd comes with Node.js 22.15',
}, () => {
  for (const bytes of [0, 1, 255, 256, 300_000, 2_000_000]) {
    const frame = compress!(Buffer.alloc(bytes, 'frame after frame '))
    assert.equal(isWholeZstd(frame), true, `${bytes} bytes`)
    assert.equal(isWholeZstd(frame.subarray(0, -1)), false, `${bytes} bytes`)
  }
})
