/**
 * Reads capture files one after another, in the order given, as one continuous capture.
 *
 * Regular files are read with blocking calls into one buffer; pipes, terminals and gzip go through streams. Either way
 * the source obeys its control words within a read.
 */
import { closeSync, constants, createReadStream, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { Socket } from 'node:net'
import { basename } from 'node:path'
import type { Readable } from 'node:stream'
import type { Control } from '../../control.ts'
import type { FileSource, FromWorker } from '../../messages.ts'
import type { Doorbell } from '../../ring/doorbell.ts'
import type { FrameSink } from '../frame-sink.ts'
import { FileReader } from './file-reader.ts'
import type { FormatHost } from './format.ts'

const STDIN = '-'
const PROGRESS_MS = 100
/** How often a file that is still being written is looked at. */
const FOLLOW_MS = 200
/** Damaged places reported one by one; a file with more of them is not read on. */
const MAX_DAMAGE = 16
/** Interfaces told apart by name; what comes after goes under the file's own. */
const MAX_INTERFACES = 1024

/** What reading files needs from its worker. */
export interface FileSourceContext {
  sink: FrameSink
  control: Control
  bell: Doorbell
  post(message: FromWorker): void
}

/**
 * Reads all files of `source` into the sink, until their end or a command.
 *
 * @throws Error, fit for the user's eyes, when a file cannot be opened or read; the files before it have been read
 */
export async function readFiles(source: FileSource, context: FileSourceContext): Promise<void> {
  const interfaces = new InterfaceNames(context.sink)
  for (const [index, path] of source.paths.entries()) {
    if (!context.control.running) return
    const follow = source.follow && index === source.paths.length - 1
    const reading = new Reading(path, context, interfaces)
    await reading.run(follow)
  }
}

/** Interfaces by name, over all files: rotated captures of one interface stay one interface. */
class InterfaceNames {
  readonly #ids = new Map<string, number>()
  readonly #sink: FrameSink

  constructor(sink: FrameSink) {
    this.#sink = sink
  }

  idOf(name: string, fallback: string): number {
    const known = this.#ids.get(name)
    if (known !== undefined) return known
    if (this.#ids.size >= MAX_INTERFACES && name !== fallback) return this.idOf(fallback, fallback)
    const id = this.#ids.size
    this.#ids.set(name, id)
    this.#sink.addInterface(id, { name, vantage: 'file', mesh: null, domain: 0 })
    return id
  }
}

/** One file being read. */
class Reading implements FormatHost {
  readonly sink: FrameSink
  readonly #path: string
  readonly #name: string
  readonly #context: FileSourceContext
  readonly #interfaces: InterfaceNames
  readonly #reader: FileReader
  #damages = 0
  #bytesRead = 0
  #totalBytes: number | null = null
  #lastProgress = 0

  constructor(path: string, context: FileSourceContext, interfaces: InterfaceNames) {
    this.sink = context.sink
    this.#path = path
    this.#name = path === STDIN ? 'stdin' : basename(path)
    this.#context = context
    this.#interfaces = interfaces
    this.#reader = new FileReader(this)
  }

  interfaceId(name: string | null): number {
    return this.#interfaces.idOf(name ?? this.#name, this.#name)
  }

  damage(offset: number, reason: string): boolean {
    this.#damages++
    if (this.#damages <= MAX_DAMAGE) this.#context.post({ t: 'damage', path: this.#path, offset, reason })
    return this.#damages < MAX_DAMAGE
  }

  async run(follow: boolean): Promise<void> {
    // Without O_NONBLOCK, opening a named pipe would wait for its writer, deaf to commands.
    const fd = this.#path === STDIN ? 0 : openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = fstatSync(fd)
    if (stats.isDirectory()) throw new Error(`${this.#path} is a directory; name the capture files in it`)
    if (stats.isFile()) {
      this.#totalBytes = stats.size
      try {
        this.#readBlocking(fd, follow)
      } finally {
        if (this.#path !== STDIN) closeSync(fd)
      }
    } else await this.#readStream(openStream(fd, stats))
    // Told to stop, the rest was left on purpose: that is no damage.
    if (this.#context.control.running) this.#reader.end()
    this.sink.flush()
    this.#progress(true)
  }

  #readBlocking(fd: number, follow: boolean): void {
    const { control, bell } = this.#context
    const { window } = this.#reader
    const commanded = (): boolean => !control.running
    while (control.running) {
      control.beat()
      const room = window.prepare()
      const count = readSync(fd, window.bytes, window.end, room, null)
      if (count > 0) this.#took(count, () => window.filled(count))
      else if (!follow) return
      else bell.wait(FOLLOW_MS, commanded)
    }
  }

  async #readStream(stream: Readable): Promise<void> {
    const { control } = this.#context
    const watch = setInterval(() => {
      control.beat()
      if (!control.running) stream.destroy()
    }, PROGRESS_MS)
    try {
      await new Promise<void>((resolve, reject) => {
        stream.on('data', (chunk: Buffer) => {
          control.beat()
          this.#bytesRead += chunk.length
          this.#reader.push(chunk)
          this.sink.flush()
          this.#progress(false)
          if (!control.running) stream.destroy()
        })
        stream.on('error', reject)
        stream.on('close', resolve)
      })
    } finally {
      clearInterval(watch)
    }
  }

  #took(count: number, fill: () => void): void {
    this.#bytesRead += count
    fill()
    this.#reader.advance()
    this.sink.flush()
    this.#progress(false)
  }

  #progress(last: boolean): void {
    const now = Date.now()
    if (!last && now - this.#lastProgress < PROGRESS_MS) return
    this.#lastProgress = now
    this.#context.post({ t: 'progress', path: this.#path, bytes: this.#bytesRead, totalBytes: this.#totalBytes })
  }
}

/** Pipes and sockets by the event loop, so that a silent one holds no thread; anything else by the file system. */
function openStream(fd: number, stats: Stats): Readable {
  if (stats.isFIFO() || stats.isSocket()) return new Socket({ fd, readable: true, writable: false })
  return createReadStream('', { fd })
}
