/** Unzips a gzip stream of any number of members (RFC 1952), a damaged one as far as possible. */
import { createGunzip } from 'node:zlib'

/** Bytes unzipped at a time, which bounds the loss before the damage in a stream. */
const CHUNK_BYTES = 64 * 1024

export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b

export class Gunzip {
  readonly #engine = createGunzip({ chunkSize: CHUNK_BYTES })
  #failure: Error | null = null
  /** Rejects the current step, because the engine never calls back for a write that failed. */
  #fail: (error: Error) => void = () => {}

  /** @param onBytes receives unzipped bytes, valid during the call */
  constructor(onBytes: (bytes: Uint8Array) => void) {
    this.#engine.on('data', onBytes)
    this.#engine.on('error', (error) => {
      this.#failure = error
      this.#fail(error)
    })
  }

  /**
   * Unzips a chunk. Its output has been delivered once this resolves.
   *
   * @throws Error when the stream is damaged
   */
  push(chunk: Uint8Array): Promise<void> {
    return this.#step((done) => this.#engine.write(chunk, done))
  }

  /** @throws Error when the stream ends before its last member does (`Z_BUF_ERROR`) */
  end(): Promise<void> {
    return this.#step((done) => {
      this.#engine.once('close', done)
      this.#engine.end()
    })
  }

  #step(start: (done: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#fail = reject
      start(() => (this.#failure === null ? resolve() : reject(this.#failure)))
    })
  }
}
