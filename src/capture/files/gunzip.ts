/** Unzips a gzip stream of any number of members (RFC 1952), handing on all that can be had of a damaged one. */
import { createGunzip } from 'node:zlib'

/** Bytes unzipped at once: what is lost of a damaged stream is less than this. */
const CHUNK_BYTES = 64 * 1024

export const isGzip = (head: Uint8Array): boolean => head[0] === 0x1f && head[1] === 0x8b

export class Gunzip {
  readonly #engine = createGunzip({ chunkSize: CHUNK_BYTES })
  #failure: Error | null = null

  /** @param take gets unzipped bytes, valid during the call */
  constructor(take: (bytes: Uint8Array) => void) {
    this.#engine.on('data', take)
    // Whoever waits is told by the callback; without a listener the error would end the thread.
    this.#engine.on('error', (error) => {
      this.#failure = error
    })
  }

  /**
   * Unzips a chunk; what came out was taken once this resolves.
   *
   * @throws Error when the stream is damaged
   */
  push(chunk: Uint8Array): Promise<void> {
    return this.#settle((done) => this.#engine.write(chunk, done))
  }

  /** @throws Error when the stream ends before its last member does */
  async end(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#engine.once('close', resolve))
    await this.#settle((done) => this.#engine.end(done))
    await ended
  }

  #settle(start: (done: (error?: Error | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      start((error) => {
        const failure = error ?? this.#failure
        if (failure) reject(failure)
        else resolve()
      })
    })
  }
}
