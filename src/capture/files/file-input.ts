/**
 * Reads one capture file, from opening to its end.
 *
 * Regular files are read with blocking calls directly into the reader's window; pipes and gzip are read through
 * streams. Commands are applied between two reads, and on a silent pipe within PROGRESS_MS.
 */
import { closeSync, constants, createReadStream, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { Socket } from 'node:net'
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import { fileErrorText, InterceptorError, runtimeError } from '../../errors.ts'
import type { Doorbell } from '../../ring/doorbell.ts'
import type { Control } from '../../thread/control.ts'
import type { FromWorker } from '../../thread/messages.ts'
import type { FileSink } from '../frame-sink.ts'
import { describeLinkType } from '../wire/link-types.ts'
import { FileReader } from './file-reader.ts'
import type { FormatHost } from './format.ts'
import { Gunzip, isGzip } from './gunzip.ts'
import type { WindowMemory } from './window.ts'

/** The path that means standard input. */
const STDIN = '-'
/** Not closed here: Node.js has opened it, and would warn. */
const STDIN_FD = 0
/** Interval of progress messages and of checking a stream's command. */
const PROGRESS_MS = 100
/** Interval of checking a followed file for new data. */
const FOLLOW_MS = 200
/** Bytes of a gzip stream that are unzipped in one step. */
const UNZIP_BYTES = 16 * 1024
/** Damaged positions reported per file; after the last one the file is not read any further. */
const MAX_DAMAGE = 16

/** The parts of a worker that reading files needs. */
export interface FileContext {
  sink: FileSink
  /** Memory of the window that files are read into, one after the other. */
  memory: WindowMemory
  control: Control
  /** This thread's doorbell, rung when the command changed. */
  bell: Doorbell
  post(message: FromWorker): void
  /** To be called after each read: runs the other stages of the thread. @returns when to continue; null: at once */
  afterRead(): Promise<void> | null
}

export class FileInput implements FormatHost {
  readonly sink: FileSink
  readonly #path: string
  readonly #name: string
  readonly #context: FileContext
  readonly #interfaceId: (name: string, fallback: string) => number
  readonly #reader: FileReader
  readonly #commanded = (): boolean => !this.#context.control.running
  #damages = 0
  #bytesRead = 0
  #totalBytes: number | null = null
  #lastProgress = Number.NEGATIVE_INFINITY

  constructor(path: string, context: FileContext, interfaceId: (name: string, fallback: string) => number) {
    this.sink = context.sink
    this.#path = path
    this.#name = path === STDIN ? 'stdin' : basename(path)
    this.#context = context
    this.#interfaceId = interfaceId
    this.#reader = new FileReader(this, context.memory)
  }

  interfaceId(name: string | null): number {
    return this.#interfaceId(name ?? this.#name, this.#name)
  }

  damage(offset: number | null, reason: string): boolean {
    this.#damages++
    const last = this.#damages === MAX_DAMAGE
    const text = last ? `${reason}; too much of this file is damaged; the rest is not read` : reason
    this.#context.post({ t: 'damage', path: this.#path, offset, reason: text })
    return !last
  }

  /**
   * Reads the file to its end, or until a command.
   *
   * @param follow at the end of a regular file, wait for more data until the command is drain
   * @throws InterceptorError when the file cannot be opened; Error when reading it fails (a broken disk)
   */
  async run(follow: boolean): Promise<void> {
    const { control } = this.#context
    const fd = this.#path === STDIN ? STDIN_FD : control.whileBlocked(() => open(this.#path))
    const stats = fstatSync(fd)
    if (stats.isFile()) this.#totalBytes = stats.size
    if (stats.isDirectory())
      throw runtimeError(`${this.#path} is a directory`, { hint: 'Name the capture files in it.' })
    if (stats.isFile() && !control.whileBlocked(() => startsAsGzip(fd))) {
      await this.#readBlocking(fd, follow)
      if (this.#path !== STDIN) closeSync(fd)
    } else await this.#readStream(openStream(fd, stats))
    this.sink.flush()
    this.#reportUnread()
    this.#reportProgress(true)
  }

  /** Reports frames of unreadable link types as damage, because they are missing from the output as well. */
  #reportUnread(): void {
    for (const [linkType, frames] of this.sink.drainUnread()) {
      const reason = `${frames} ${frames === 1 ? 'frame' : 'frames'} of link type ${describeLinkType(linkType)} cannot be read`
      this.#context.post({ t: 'damage', path: this.#path, offset: null, reason })
    }
  }

  async #readBlocking(fd: number, follow: boolean): Promise<void> {
    const { control, bell } = this.#context
    const { window } = this.#reader
    while (control.running) {
      const room = window.prepare()
      const count = control.whileBlocked(() => readSync(fd, window.bytes, window.end, room, null))
      if (count > 0) {
        window.filled(count)
        this.#bytesRead += count
        this.#reader.advance()
        if (this.#reader.isNotACapture) return
        this.sink.flush()
        const pause = this.#context.afterRead()
        // Without one there is nothing to wait for: each `await` costs as much as a pair.
        if (pause !== null) await pause
      } else if (follow) bell.wait(FOLLOW_MS, this.#commanded)
      else {
        this.#reader.end()
        return
      }
      this.#reportProgress(false)
    }
  }

  async #readStream(stream: Readable): Promise<void> {
    const watch = setInterval(() => {
      this.#reportProgress(false)
      if (this.#commanded()) stream.destroy()
    }, PROGRESS_MS)
    try {
      await this.#chunks(stream)
    } catch (error) {
      // A stream destroyed after a command reports an error, which is expected.
      if (!this.#commanded()) throw error
    } finally {
      clearInterval(watch)
    }
  }

  async #chunks(stream: Readable): Promise<void> {
    let head = Buffer.alloc(0)
    let gunzip: Gunzip | null = null
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      this.#bytesRead += chunk.length
      this.#reportProgress(false)
      const first = head.length < 2
      if (first) {
        head = Buffer.concat([head, chunk])
        if (head.length < 2) continue
        if (isGzip(head)) gunzip = this.#newGunzip()
      }
      const bytes = first ? head : chunk
      if (gunzip === null) this.#reader.push(bytes)
      else if (!(await this.#unzip(gunzip, bytes))) return
      this.sink.flush()
      await this.#context.afterRead()
      if (this.#commanded() || this.#reader.isNotACapture) return
    }
    if (head.length < 2) this.#reader.push(head)
    if (gunzip === null || this.#endGunzip(gunzip)) this.#reader.end()
  }

  #newGunzip(): Gunzip {
    return new Gunzip(
      (bytes) => {
        if (!this.#commanded()) this.#reader.push(bytes)
      },
      (reason) => this.damage(this.#unzippedBytes, reason),
    )
  }

  get #unzippedBytes(): number {
    const { window } = this.#reader
    return window.offset + window.available
  }

  /**
   * Unzips a chunk in steps between which commands are obeyed: a few hundred KiB may become as many MiB.
   *
   * @returns false when the stream is damaged, which has been reported
   */
  async #unzip(gunzip: Gunzip, chunk: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < chunk.length && !this.#commanded(); at += UNZIP_BYTES) {
        await gunzip.push(chunk.subarray(at, at + UNZIP_BYTES))
        this.#reportProgress(false)
      }
      return true
    } catch (error) {
      if (error instanceof InterceptorError) throw error
      this.damage(this.#unzippedBytes, (error as Error).message)
      return false
    }
  }

  #endGunzip(gunzip: Gunzip): boolean {
    try {
      gunzip.end()
      return true
    } catch (error) {
      this.damage(this.#unzippedBytes, (error as Error).message)
      return false
    }
  }

  /** Sends a heartbeat and, every PROGRESS_MS and at the end, a progress message. */
  #reportProgress(last: boolean): void {
    this.#context.control.beat()
    const now = performance.now()
    if (!last && now - this.#lastProgress < PROGRESS_MS) return
    this.#lastProgress = now
    this.#context.post({ t: 'progress', path: this.#path, bytes: this.#bytesRead, totalBytes: this.#totalBytes })
  }
}

/** Without O_NONBLOCK, opening a named pipe would block until it has a writer, and commands would be ignored until then. */
function open(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw runtimeError(`${path}: there is no such file`, { cause: error })
    if (code === 'EACCES') throw runtimeError(`${path}: no permission to read it`, { cause: error })
    throw runtimeError(`${path} cannot be opened: ${fileErrorText(error)}`, { cause: error })
  }
}

/** Reads the first bytes without moving the file's position. */
function startsAsGzip(fd: number): boolean {
  const head = new Uint8Array(2)
  return readSync(fd, head, 0, 2, 0) === 2 && isGzip(head)
}

/**
 * Pipes and sockets are read on the event loop, so that a silent one occupies no thread of the pool; others are not.
 */
function openStream(fd: number, stats: Stats): Readable {
  if (stats.isFIFO() || stats.isSocket()) return new Socket({ fd, readable: true, writable: false })
  return createReadStream('', { fd, highWaterMark: 256 * 1024, autoClose: fd !== STDIN_FD })
}
