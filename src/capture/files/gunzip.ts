/**
 * Unzips a gzip stream of any number of members (RFC 1952), and delivers all that can be recovered of a damaged one: a
 * member's content is delivered before its checksum is compared, which zlib's own gzip reader does not do.
 */
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib'

/** Bytes unzipped at once: what is lost of a damaged stream is less than this. */
const CHUNK_BYTES = 64 * 1024

/** Member header (RFC 1952 §2.3): ID1 ID2 CM FLG MTIME×4 XFL OS, then what FLG announces. */
const FIXED_HEADER_BYTES = 10
const DEFLATE = 8
const FLAG_HEADER_CRC = 2
const FLAG_EXTRA = 4
const FLAG_NAME = 8
const FLAG_COMMENT = 16
/** Longer headers are damage: extra field, name and comment are short. */
const MAX_HEADER_BYTES = 256 * 1024
/** CRC-32 and length modulo 2^32, little-endian. */
const TRAILER_BYTES = 8

/** Whether a file begins with the magic number of gzip (RFC 1952 §2.3.1). */
export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b

export class Gunzip {
  readonly #deliver: (bytes: Uint8Array) => void
  readonly #warn: (reason: string) => void
  #engine: InflateRaw | null = null
  /** Compressed bytes that were not consumed yet. */
  #rest: Buffer = Buffer.alloc(0)
  #state: 'header' | 'data' | 'trailer' | 'trailing garbage' = 'header'
  #members = 0
  /** An exception of `deliver`, kept because an event handler of a stream cannot pass it on. */
  #failure: { error: unknown } | null = null
  #crc = 0
  #length = 0

  /**
   * @param deliver receives unzipped bytes, valid during the call; `push` throws its exceptions
   * @param warn receives the faults of a stream that can still be read
   */
  constructor(deliver: (bytes: Uint8Array) => void, warn: (reason: string) => void) {
    this.#deliver = deliver
    this.#warn = warn
  }

  /**
   * Unzips a chunk. Its output has been delivered once this resolves.
   *
   * @throws Error when the stream is damaged so that it cannot be read any further
   */
  async push(chunk: Uint8Array): Promise<void> {
    this.#rest = this.#rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#rest, chunk])
    while (this.#rest.length > 0) {
      const before = this.#rest.length
      const state = this.#state
      if (state === 'header') this.#header()
      else if (state === 'data') await this.#inflate()
      else if (state === 'trailer') this.#trailer()
      else return
      if (this.#rest.length === before && this.#state === state) return
    }
  }

  /** @throws Error when the stream ends before its last member does */
  end(): void {
    const isWhole =
      this.#state === 'trailing garbage' || (this.#state === 'header' && this.#rest.length === 0 && this.#members > 0)
    this.#engine?.close()
    if (!isWhole) throw new Error('the gzip stream is truncated')
  }

  #header(): void {
    // Tapes and block devices pad files with zeros.
    if (this.#members > 0) this.#rest = this.#rest.subarray(zerosAtStart(this.#rest))
    if (this.#rest.length < 2) return
    if (!isGzip(this.#rest)) {
      this.#state = 'trailing garbage'
      this.#warn('bytes that are not gzip follow the gzip stream')
      return
    }
    const bytes = headerBytes(this.#rest)
    if (bytes === null) {
      if (this.#rest.length > MAX_HEADER_BYTES) throw new Error('a header of the gzip stream does not end')
      return
    }
    if (this.#rest[2] !== DEFLATE) throw new Error(`the gzip stream has the unknown compression ${this.#rest[2]}`)
    this.#rest = this.#rest.subarray(bytes)
    this.#state = 'data'
    this.#crc = 0
    this.#length = 0
    this.#members += 1
    this.#engine = createInflateRaw({ chunkSize: CHUNK_BYTES })
    this.#engine.on('data', (data: Buffer) => {
      this.#crc = crc32(data, this.#crc)
      this.#length = (this.#length + data.length) >>> 0
      if (this.#failure === null) this.#pass(data)
    })
  }

  /** Inflates the available bytes, at most to the end of the member. */
  async #inflate(): Promise<void> {
    const engine = this.#engine
    if (engine === null) return
    const from = engine.bytesWritten
    const ended = await write(engine, this.#rest)
    if (this.#failure !== null) throw this.#failure.error
    this.#rest = this.#rest.subarray(engine.bytesWritten - from)
    if (ended) this.#endData(engine)
  }

  #pass(data: Buffer): void {
    try {
      this.#deliver(data)
    } catch (error) {
      this.#failure = { error }
    }
  }

  #endData(engine: InflateRaw): void {
    engine.close()
    this.#engine = null
    this.#state = 'trailer'
  }

  #trailer(): void {
    if (this.#rest.length < TRAILER_BYTES) return
    const isRight = this.#rest.readUInt32LE(0) === this.#crc && this.#rest.readUInt32LE(4) === this.#length
    if (!isRight) this.#warn('the gzip stream’s checksum is wrong: what was read of it may be damaged')
    this.#rest = this.#rest.subarray(TRAILER_BYTES)
    this.#state = 'header'
  }
}

/** @returns whether the data ended within these bytes @throws Error when they are damaged */
function write(engine: InflateRaw, bytes: Uint8Array): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const done = (ended: boolean): void => {
      engine.off('end', end).off('error', fail)
      resolve(ended)
    }
    const end = (): void => done(true)
    const fail = (error: Error): void => reject(new Error(`the gzip stream is damaged: ${error.message}`))
    engine.once('end', end).once('error', fail)
    // The stream ends before this callback where the data ends, and does not call back where it is damaged.
    engine.write(bytes, () => done(false))
  })
}

function zerosAtStart(bytes: Buffer): number {
  let count = 0
  while (count < bytes.length && bytes[count] === 0) count += 1
  return count
}

/** @returns the length of the member header at the start; null: it is not complete */
function headerBytes(bytes: Buffer): number | null {
  if (bytes.length < FIXED_HEADER_BYTES) return null
  const flags = bytes[3]
  let at = FIXED_HEADER_BYTES
  if ((flags & FLAG_EXTRA) !== 0) {
    if (bytes.length < at + 2) return null
    at += 2 + bytes.readUInt16LE(at)
  }
  for (const flag of [FLAG_NAME, FLAG_COMMENT]) {
    if ((flags & flag) === 0) continue
    const end = bytes.indexOf(0, at)
    if (end === -1) return null
    at = end + 1
  }
  if ((flags & FLAG_HEADER_CRC) !== 0) at += 2
  return at <= bytes.length ? at : null
}
