/**
 * Buffered writing to a file descriptor: a file, a pipe, a terminal. Nothing that is written is lost: what the
 * descriptor does not accept now stays pending for the next `flush`.
 *
 * A non-blocking pipe whose reader is slow returns EAGAIN (write(2), pipe(7)). A flush waits a few milliseconds, in which
 * most readers catch up, and then returns `later`, so that the caller's thread is never blocked.
 */
import { closeSync, writeSync } from 'node:fs'

const BUFFER_BYTES = 64 * 1024
/** How long a flush waits for a slow reader, and the pause between two attempts. */
const MAX_WAIT_MS = 5
const WAIT_MS = 1

/** Everything is written; the reader is slow, so try again; the reader has closed the pipe (EPIPE); an error. */
export type WriteResult = 'ok' | 'later' | 'closed' | Error

/** A word to sleep on, which is never notified. */
const never = new Int32Array(new SharedArrayBuffer(4))

export class FdOutput {
  /** Bytes written in all. */
  written = 0
  readonly fd: number
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  /** The pending bytes in the buffer: [from, to). */
  #from = 0
  #to = 0
  /** Pending bytes that did not fit into the buffer, which follow its content. */
  #long: Buffer | null = null

  constructor(fd: number) {
    this.fd = fd
  }

  /** Bytes accepted and not written yet. */
  get pending(): number {
    return this.#to - this.#from + (this.#long?.length ?? 0)
  }

  /** Accepts `data`, which is written once 64 KiB are pending, or at `flush`. @returns as `flush` */
  write(data: string | Uint8Array): WriteResult {
    const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length
    if (this.#long === null && this.#to + bytes > BUFFER_BYTES) {
      const result = this.flush()
      if (result !== 'ok' || bytes > BUFFER_BYTES) {
        this.#long = Buffer.from(data as string)
        return result === 'ok' ? this.flush() : result
      }
    }
    if (this.#long !== null) this.#long = Buffer.concat([this.#long, Buffer.from(data as string)])
    else if (typeof data === 'string') this.#to += this.#buffer.write(data, this.#to)
    else {
      this.#buffer.set(data, this.#to)
      this.#to += bytes
    }
    return 'ok'
  }

  /** Writes what is pending, as far as the descriptor accepts it. */
  flush(): WriteResult {
    while (this.#from < this.#to) {
      const count = this.#write(this.#buffer, this.#from, this.#to)
      if (typeof count !== 'number') return count
      this.#from += count
    }
    this.#from = 0
    this.#to = 0
    while (this.#long !== null) {
      const count = this.#write(this.#long, 0, this.#long.length)
      if (typeof count !== 'number') return count
      this.#long = count === this.#long.length ? null : this.#long.subarray(count)
    }
    return 'ok'
  }

  /** Drops what is pending. */
  forget(): void {
    this.#from = 0
    this.#to = 0
    this.#long = null
  }

  /** Closes the descriptor, unless it is one of the standard ones. */
  close(): void {
    if (this.fd > 2) closeSync(this.fd)
  }

  /** @returns bytes written, at least one, or why there are none */
  #write(bytes: Buffer, from: number, to: number): number | WriteResult {
    for (let waitedMs = 0; ; waitedMs += WAIT_MS) {
      try {
        const count = writeSync(this.fd, bytes, from, to - from)
        this.written += count
        return count
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EPIPE') return 'closed'
        if (code !== 'EAGAIN') return error as Error
        if (waitedMs >= MAX_WAIT_MS) return 'later'
        Atomics.wait(never, 0, 0, WAIT_MS)
      }
    }
  }
}
