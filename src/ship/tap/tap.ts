/**
 * The agent's tap: shows the pairs that the shipper reads from its rings to programs of the same user on the same
 * machine, `tail` and `top`. Pairs for which a slow reader has no room are not shown to it, and counted; shipping never waits
 * for a reader, and the ledger does not count readers.
 *
 * Thread: the shipper's.
 */
import { createServer, type Socket } from 'node:net'
import { Backoff } from '../../async/backoff.ts'
import { errorText } from '../../errors.ts'
import type { Log } from '../../log/folded-log.ts'
import type { PairViewer } from '../pair-queue.ts'
import type { ShipStatus } from '../status.ts'
import { listenPrivately, type PrivateSocket } from './private-socket.ts'
import { TapReader } from './tap-reader.ts'

/** Waits before the tap is tried again: another agent may have its socket until it ends. */
const RETRY = { minMs: 1_000, firstMs: 1_000, maxMs: 30_000 }

/** Readers at a time. One more replaces the oldest, which may have been left behind by a lost connection. */
export const MAX_READERS = 4

export class Tap implements PairViewer {
  readonly #status: ShipStatus
  readonly #log: Log
  /** Oldest first. */
  readonly #readers = new Map<Socket, TapReader>()
  #socket: PrivateSocket | null = null
  readonly #backoff = new Backoff(RETRY)
  #retry: NodeJS.Timeout | undefined
  #closed = false

  private constructor(status: ShipStatus, log: Log) {
    this.#status = status
    this.#log = log
    status.tapReaders = 0
    status.tapOpen = false
  }

  /**
   * Opens the tap. An agent works without it: a failure is one warning, and the tap is tried again until it can be opened.
   *
   * @param path of the unix socket
   */
  static async open(path: string, status: ShipStatus, log: Log): Promise<Tap> {
    const tap = new Tap(status, log)
    const error = await tap.#open(path)
    if (error === null) return tap
    log.warn('the tap cannot be opened: tail and top --agent will not find this agent', {
      'tap.socket': path,
      error: errorText(error),
    })
    tap.#retryLater(path)
    return tap
  }

  /** @returns why it cannot be opened; null: it is open, or was closed meanwhile */
  async #open(path: string): Promise<unknown> {
    const server = createServer((socket) => this.#accept(socket)).unref()
    try {
      const socket = await listenPrivately(server, path)
      if (this.#closed) {
        socket.close()
        return null
      }
      server.on('error', (error) => this.#log.warn(`the tap failed: ${errorText(error)}`))
      this.#socket = socket
      this.#status.tapOpen = true
      return null
    } catch (error) {
      return error
    }
  }

  #retryLater(path: string): void {
    if (this.#closed) return
    const attempt = async (): Promise<void> => {
      if ((await this.#open(path)) !== null) this.#retryLater(path)
      else if (!this.#closed) this.#log.info('the tap is open', { 'tap.socket': path })
    }
    this.#retry = setTimeout(() => void attempt(), this.#backoff.next()).unref()
  }

  /** Whether a pair that is added now would be shown. */
  get hasReaders(): boolean {
    return this.#readers.size > 0
  }

  add(bytes: Uint8Array, start: number, length: number): void {
    for (const reader of this.#readers.values()) if (!reader.add(bytes, start, length)) this.#status.tapNotShown += 1
  }

  /** Passes on what was added since the last call. */
  flush(): void {
    for (const reader of this.#readers.values()) reader.flush()
  }

  /** Removes the socket and ends all connections. Resolves once every reader has read the rest, or was too slow for it. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#socket?.close()
    this.#status.tapOpen = false
    const readers = [...this.#readers.values()]
    this.#readers.clear()
    this.#status.tapReaders = 0
    await Promise.all(readers.map((reader) => this.#end(reader, 'the agent has stopped')))
  }

  async #end(reader: TapReader, reason: string): Promise<void> {
    const pairs = await reader.end(reason)
    this.#status.tapNotShown += pairs
    if (pairs > 0) this.#log.warn('a reader of the tap was too slow to be shown the last pairs', { pairs })
  }

  #accept(socket: Socket): void {
    // A reader that leaves its connection open must not keep the thread from ending.
    socket.unref()
    const [oldest] = this.#readers.size === MAX_READERS ? this.#readers : []
    if (oldest !== undefined) {
      this.#readers.delete(oldest[0])
      void this.#end(oldest[1], `${MAX_READERS} other readers have connected since`)
    }
    const reader = new TapReader(socket)
    this.#readers.set(socket, reader)
    this.#changed('a reader is connected to the tap')
    socket.on('data', () => reader.drop())
    socket.on('error', () => {})
    socket.on('close', () => {
      if (this.#readers.delete(socket)) this.#changed('a reader has left the tap')
    })
  }

  #changed(message: string): void {
    this.#status.tapReaders = this.#readers.size
    this.#log.info(message, { readers: this.#readers.size })
  }
}
