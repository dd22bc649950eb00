import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Gunzip } from '../../../src/capture/files/gunzip.ts'
import { concat } from '../support.ts'

const CONTENT = Buffer.from('a line of some capture\n'.repeat(100))

test('gunzip: the optional fields of a member header are skipped, however the stream is cut into chunks', async () => {
  const zipped = gzipSync(CONTENT)
  const header = Buffer.from([0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 0, 0, 0, 0, 0, 3])
  const fields = [Buffer.from([3, 0, 1, 2, 3]), Buffer.from('a name\0'), Buffer.from('a comment\0'), Buffer.alloc(2)]
  const content = concat([header, ...fields, zipped.subarray(10)])
  assert.deepEqual(await unzipBytes(content), CONTENT)
  for (let length = 0; length < content.length; length += 97) {
    await assert.rejects(unzipBytes(content.subarray(0, length)), /truncated/)
  }
})

test('gunzip: throws what its receiver throws', async () => {
  const error = new Error('no')
  const gunzip = new Gunzip(
    () => {
      throw error
    },
    () => {},
  )
  await assert.rejects(gunzip.push(gzipSync('x'.repeat(300_000))), error)
})

/** Unzips byte by byte. */
async function unzipBytes(content: Uint8Array): Promise<Buffer> {
  const parts: Buffer[] = []
  const gunzip = new Gunzip(
    (bytes) => parts.push(Buffer.from(bytes)),
    (reason) => assert.fail(reason),
  )
  for (const byte of content) await gunzip.push(Uint8Array.of(byte))
  gunzip.end()
  return Buffer.concat(parts)
}
