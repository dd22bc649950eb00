/**
 * The agent's tap: shows the pairs that the shipper reads from its rings to programs of the same user on the same
 * machine, `tail` and `top`. Pairs for which a slow reader has no room are not shown to it, and counted; shipping never waits
 * for a reader, and the ledger does not count readers.
 *
 * Thread: the shipper's.
 */
import { createServer, type Socket } from 'node:net'
import { errorText } from '../../errors.ts'
import type { Log } from '../../log/folded-log.ts'
import type { PairViewer } from '../pair-queue.ts'
import type { ShipStatus } from '../status.ts'
import { listenPrivately, type PrivateSocket } from './private-socket.ts'
import { TapReader } from './tap-reader.ts'

/** Readers at a time. One more replaces the oldest, which may have been left behind by a lost connection. */
export const MAX_READERS = 4

export class Tap implements PairViewer {
  readonly #status: ShipStatus
  readonly #log: Log
  /** Oldest first. */
  readonly #readers = new Map<Socket, TapReader>()
  #socket: PrivateSocket | null = null

  private constructor(status: ShipStatus, log: Log) {
    this.#status = status
    this.#log = log
    status.tapReaders = 0
    status.tapOpen = false
  }

  /**
   * Opens the tap. An agent works without it, so a failure is a warning.
   *
   * @param path of the unix socket @returns null if it cannot be opened
   */
  static async open(path: string, status: ShipStatus, log: Log): Promise<Tap | null> {
    const tap = new Tap(status, log)
    const server = createServer((socket) => tap.#accept(socket)).unref()
    try {
      tap.#socket = await listenPrivately(server, path)
      status.tapOpen = true
      server.on('error', (error) => log.warn(`the tap failed: ${errorText(error)}`))
      return tap
    } catch (error) {
      log.warn('the tap cannot be opened: tail and top --agent will not find this agent', {
        'tap.socket': path,
        error: errorText(error),
      })
      return null
    }
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
