/** Decompression for reading a topic: kafkajs knows gzip alone and takes the others from us. */
import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import kafkajs from 'kafkajs'
import { decompressFrame } from 'lz4-napi'
import { uncompress } from 'snappy'
import { runtimeError } from '../errors.ts'

// A CommonJS package, of which Node.js finds only some names.
const { CompressionCodecs, CompressionTypes } = kafkajs

/** What Java's clients put in front of Snappy (xerial): magic, version, compatible version. */
const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER_BYTES = 16

type Zstd = (data: Uint8Array, done: (error: Error | null, result: Buffer) => void) => void

/** zlib's zstd of Node.js 22.15 and later, not in the types of our floor. */
const zstdDecompress = (zlib as unknown as { zstdDecompress?: Zstd }).zstdDecompress

/** Makes kafkajs read every compression Kafka has. Safe to call again. */
export function registerCodecs(): void {
  const codec = (decompress: (data: Buffer) => Promise<Buffer>) => () => ({ compress: unused, decompress })
  CompressionCodecs[CompressionTypes.Snappy] = codec(unsnappy)
  CompressionCodecs[CompressionTypes.LZ4] = codec((data) => decompressFrame(data))
  CompressionCodecs[CompressionTypes.ZSTD] = codec(unzstd)
}

/** kafkajs would compress through a codec when producing, which is not what it is for here. */
const unused = (): Promise<Buffer> => Promise.reject(new Error('this codec only reads'))

/** Snappy as one raw block, or in xerial's frame: blocks, each behind its length. */
export async function unsnappy(data: Buffer): Promise<Buffer> {
  if (!data.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return uncompressBlock(data)
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER_BYTES; at + 4 <= data.length; ) {
    const end = at + 4 + data.readUInt32BE(at)
    blocks.push(await uncompressBlock(data.subarray(at + 4, end)))
    at = end
  }
  return Buffer.concat(blocks)
}

const uncompressBlock = async (block: Buffer): Promise<Buffer> =>
  (await uncompress(block, { asBuffer: true })) as Buffer

function unzstd(data: Buffer): Promise<Buffer> {
  if (zstdDecompress !== undefined) return promisify<Uint8Array, Buffer>(zstdDecompress)(data)
  throw runtimeError(`the topic is compressed with zstd, which this Node.js (${process.version}) cannot read`, {
    hint: 'Run Node.js 22.15 or later.',
  })
}
