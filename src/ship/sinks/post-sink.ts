/**
 * Posts pairs to the main thread, for a reader that lives there (`interceptor ui`). A pair counts as shipped once it is
 * posted. What is posted and not yet consumed is bounded: beyond it pairs wait in the queue, within the buffer's bounds.
 */
import type { FromWorker } from '../../thread/messages.ts'
import type { PairQueue } from '../pair-queue.ts'
import type { SinkContext } from '../sink.ts'
import { UnbufferedSink } from './unbuffered-sink.ts'

/** The most bytes that are posted and not yet consumed; one batch may exceed them. */
const MOST_BYTES = 4 * 1024 * 1024
/** A batch has at least one pair, and no more once it has this many bytes or pairs. */
const BATCH_BYTES = 256 * 1024
const BATCH_PAIRS = 512
/** Interval of checking what the reader has consumed. */
const CHECK_MS = 5

export interface PostSinkOptions {
  context: SinkContext
  /** Bytes that the reader has consumed, int32, modulo 2^32: the reader is the only writer. */
  consumed: SharedArrayBuffer
  post: (message: FromWorker, transfer: readonly ArrayBuffer[]) => void
}

export class PostSink extends UnbufferedSink {
  nextDueMs = Infinity
  readonly #options: PostSinkOptions
  readonly #consumed: Int32Array
  #posted: number
  readonly #batch = Buffer.allocUnsafe(BATCH_BYTES)

  constructor(options: PostSinkOptions) {
    super()
    this.#options = options
    this.#consumed = new Int32Array(options.consumed)
    this.#posted = Atomics.load(this.#consumed, 0)
  }

  pump(queue: PairQueue, nowMs: number): void {
    this.nextDueMs = Infinity
    const { limit, ledger } = this.#options.context
    while (ledger.shippedPairs < limit && queue.front()) {
      if (((this.#posted - Atomics.load(this.#consumed, 0)) | 0) >= MOST_BYTES) {
        this.nextDueMs = nowMs + CHECK_MS
        return
      }
      this.#postBatch(queue, Math.min(BATCH_PAIRS, limit - ledger.shippedPairs))
    }
  }

  /** Pairs are settled before they are posted, so that none is posted twice by a shipper that replaces this one. */
  #postBatch(queue: PairQueue, mostPairs: number): void {
    const ends: number[] = []
    let bytes: Uint8Array<ArrayBuffer> | null = null
    let size = 0
    while (bytes === null && ends.length < mostPairs && queue.front()) {
      const pair = queue.bytes.subarray(queue.start, queue.start + queue.length)
      if (size + pair.length > BATCH_BYTES) {
        if (size > 0) break
        bytes = new Uint8Array(pair)
      } else {
        this.#batch.set(pair, size)
      }
      size += pair.length
      ends.push(size)
      queue.pop()
    }
    queue.settle()
    bytes ??= new Uint8Array(this.#batch.subarray(0, size))
    this.#posted = (this.#posted + size) | 0
    this.#options.context.ledger.shipped(ends.length, size)
    this.#options.post({ t: 'pairs', bytes, ends }, [bytes.buffer])
  }
}
