/**
 * Blocking, buffered writing to a file descriptor from a worker thread: standard output (terminal, pipe, file) or a
 * file. Writes are synchronous because that is the backpressure: while the reader of a pipe is slow, the rings fill and
 * file input waits.
 *
 * A pipe may be non-blocking (whoever shares it may have made it so): EAGAIN waits a millisecond. write(2), pipe(7).
 */
import { closeSync, writeSync } from 'node:fs'

const BUFFER_BYTES = 64 * 1024

/** What became of a write: all there, nobody reads any more (EPIPE), or an error. */
export type WriteResult = 'ok' | 'closed' | Error

/** Something to sleep on that nobody rings. */
const nobody = new Int32Array(new SharedArrayBuffer(4))

export class FdOutput {
  /** Bytes taken and not yet written. */
  pending = 0
  /** Bytes written in all. */
  written = 0
  readonly #fd: number
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  readonly #idle: () => void

  /** @param idle called at each millisecond of waiting for a slow reader (a heartbeat) */
  constructor(fd: number, idle: () => void) {
    this.#fd = fd
    this.#idle = idle
  }

  /** Takes `data`, writing when 64 KiB have come together. */
  write(data: string | Uint8Array): WriteResult {
    const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length
    if (this.pending + bytes > BUFFER_BYTES) {
      const result = this.flush()
      if (result !== 'ok') return result
      if (bytes > BUFFER_BYTES) return this.#writeAll(typeof data === 'string' ? Buffer.from(data) : data)
    }
    if (typeof data === 'string') this.#buffer.write(data, this.pending)
    else this.#buffer.set(data, this.pending)
    this.pending += bytes
    return 'ok'
  }

  /** Writes everything taken so far. */
  flush(): WriteResult {
    if (this.pending === 0) return 'ok'
    const chunk = this.#buffer.subarray(0, this.pending)
    this.pending = 0
    return this.#writeAll(chunk)
  }

  /** Closes the descriptor, unless it is one of the standard ones. */
  close(): void {
    if (this.#fd > 2) closeSync(this.#fd)
  }

  #writeAll(bytes: Uint8Array): WriteResult {
    let done = 0
    while (done < bytes.length) {
      try {
        const count = writeSync(this.#fd, bytes, done, bytes.length - done)
        done += count
        this.written += count
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EPIPE') return 'closed'
        if (code !== 'EAGAIN') return error as Error
        this.#idle()
        Atomics.wait(nobody, 0, 0, 1)
      }
    }
    return 'ok'
  }
}
