import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as zlib from 'node:zlib'
import { gunzipSync } from 'node:zlib'
import { decompressFrame } from 'lz4-napi'
import { compress as snappyCompress } from 'snappy'
import { InterceptorError } from '../../src/errors.ts'
import { CODEC_NUMBERS, createCompressor, decompressSnappy } from '../../src/kafka/codecs.ts'

const records = Buffer.from(JSON.stringify(Array.from({ length: 500 }, (_, n) => ({ n, path: '/orders' }))))
const lacksZstd = 'zstdCompress' in zlib ? false : 'zstd comes with Node.js 22.15'

const undo = {
  gzip: async (data: Buffer) => gunzipSync(data),
  snappy: decompressSnappy,
  lz4: (data: Buffer) => decompressFrame(data),
} as const

for (const name of ['gzip', 'snappy', 'lz4'] as const) {
  test(`codecs: ${name} is decompressed by its reader, and has Kafka's number`, async () => {
    const compressor = createCompressor(name)
    assert.ok(compressor !== null)
    assert.equal(compressor.number, CODEC_NUMBERS[name])
    const compressed = Buffer.from(await compressor.compress(records))
    assert.ok(compressed.length < records.length / 2)
    assert.deepEqual(await undo[name](compressed), records)
  })
}

test('codecs: `none` has no compressor', () => assert.equal(createCompressor('none'), null))

test('codecs: zstd works if Node.js supports it', { skip: lacksZstd }, async () => {
  const compressed = await createCompressor('zstd')!.compress(records)
  const { zstdDecompressSync } = zlib as unknown as { zstdDecompressSync(data: Uint8Array): Buffer }
  assert.deepEqual(zstdDecompressSync(compressed), records)
})

test('codecs: zstd is a usage error with a hint if Node.js does not support it', {
  skip: lacksZstd === false && 'has zstd',
}, () => {
  assert.throws(
    () => createCompressor('zstd'),
    (error: unknown) => error instanceof InterceptorError && error.exitCode === 2 && /22\.15/.test(error.hint ?? ''),
  )
})

test('codecs: reads Snappy in the framed form of Java clients', async () => {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
  const blocks: Buffer[] = [header]
  for (let at = 0; at < records.length; at += 1000) {
    const block = await snappyCompress(records.subarray(at, at + 1000))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(block.length)
    blocks.push(length, block)
  }
  assert.deepEqual(await decompressSnappy(Buffer.concat(blocks)), records)
})
