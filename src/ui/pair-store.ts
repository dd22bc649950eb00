/**
 * Holds the newest pairs, as bytes and as rows of the list. Bounded by number and bytes; the oldest pairs are dropped
 * first. Main thread.
 */
import { headerValue, mediaType, type Pair } from '../pair/pair.ts'
import { readPair } from '../pair/unpack.ts'
import { workloadOf } from '../routes/route-table.ts'
import type { PairRow } from './protocol.ts'

/** Bounds of the store. */
export interface StoreBounds {
  readonly pairs: number
  /** Bytes of the encoded pairs. Their rows need about 400 bytes each in addition. */
  readonly bytes: number
}

/** The bounds of `interceptor ui`. */
const STORE_BOUNDS: StoreBounds = { pairs: 20_000, bytes: 128 * 1024 * 1024 }

/** The longest text in a row, in UTF-16 units. */
const MOST_TEXT = 300

/** A pair that is held. */
export interface HeldPair {
  readonly bytes: Uint8Array
  readonly row: PairRow
}

export class PairStore {
  /** Records that were not pairs. */
  foreign = 0
  heldBytes = 0
  readonly bounds: StoreBounds
  /** The sequence number of the oldest held pair, and of the next one to arrive. */
  first = 0
  next = 0
  readonly #held = new Map<number, HeldPair>()

  constructor(bounds = STORE_BOUNDS) {
    this.bounds = bounds
  }

  /** Pairs that are held. */
  get size(): number {
    return this.next - this.first
  }

  /**
   * Holds a copy of a pair.
   *
   * @param raw its MessagePack or JSON form
   * @returns the pair, whose bodies are views into the copy; null if `raw` is not a pair
   * @throws never
   */
  add(raw: Uint8Array): Pair | null {
    const bytes = new Uint8Array(raw)
    const pair = readPair(bytes)
    if (pair instanceof Error) {
      this.foreign += 1
      return null
    }
    this.#held.set(this.next, { bytes, row: rowOf(this.next, pair) })
    this.next += 1
    this.heldBytes += bytes.length
    while (this.size > this.bounds.pairs || (this.heldBytes > this.bounds.bytes && this.size > 1)) this.#dropOldest()
    return pair
  }

  /** @returns undefined if the pair is no longer held, or never was */
  get(seq: number): HeldPair | undefined {
    return this.#held.get(seq)
  }

  #dropOldest(): void {
    this.heldBytes -= this.#held.get(this.first)?.bytes.length ?? 0
    this.#held.delete(this.first)
    this.first += 1
  }
}

const cut = (text: string): string => (text.length > MOST_TEXT ? `${text.slice(0, MOST_TEXT)}…` : text)

function rowOf(seq: number, pair: Pair): PairRow {
  const { request, response, client, server } = pair
  const host = headerValue(request, 'host') ?? ''
  return {
    seq,
    micros: pair.requestStartMicros,
    method: cut(request.method),
    target: cut(request.target),
    host: cut(host),
    status: response.status,
    latencyMicros: Math.max(0, pair.responseEndMicros - pair.requestStartMicros),
    requestBytes: request.bodySize,
    responseBytes: response.bodySize,
    type: cut(mediaType(response) || mediaType(request)),
    client: cut(workloadOf(client) ?? client.address),
    server: cut(workloadOf(server) ?? `${server.address}:${server.port}`),
  }
}
