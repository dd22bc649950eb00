/**
 * Memory for pairs that wait for the output. It outlives the shipper's thread: the main thread knows every piece from
 * before its first use until its release, and passes what is left to the next shipper.
 *
 * Threads: only the shipper writes a piece; the main thread reads it once that thread has ended. V8 ends a thread only at the
 * entry of a function or at the end of a loop's body, so consecutive stores are atomic with respect to the thread's end.
 * Code that moves pairs removes them from their old place first: a thread that ends in between loses what it was
 * processing, which is counted as `crash`, and duplicates nothing.
 *
 *     piece    0: KIND f64   8: ID f64   16: 14 f64 of the kind's own (`state`)   128: data
 */
import type { FromWorker } from '../thread/messages.ts'

/** `PairQueue` keeps pairs in it. */
export const PAIRS = 1
/** A `RecordBatch` is in it. */
export const BATCH = 2
export type HeldKind = typeof PAIRS | typeof BATCH

const KIND = 0
const ID = 1
const OWN_FIELDS = 2
const HEADER_FIELDS = 16
const HEADER_BYTES = HEADER_FIELDS * 8

/** One piece. The views share its memory. */
export interface HeldBlock {
  readonly id: number
  readonly kind: HeldKind
  /** Numbers that describe the data; their meaning is the kind's. */
  readonly state: Float64Array
  readonly bytes: Uint8Array
  readonly words: Int32Array
  readonly doubles: Float64Array
}

/** @param memory what `HeldMemory` allocated; its size is a multiple of 8 */
export function viewHeld(memory: ArrayBuffer | SharedArrayBuffer): HeldBlock {
  const header = new Float64Array(memory, 0, HEADER_FIELDS)
  return {
    id: header[ID],
    kind: header[KIND] as HeldKind,
    state: header.subarray(OWN_FIELDS),
    bytes: new Uint8Array(memory, HEADER_BYTES),
    words: new Int32Array(memory, HEADER_BYTES),
    doubles: new Float64Array(memory, HEADER_BYTES),
  }
}

export class HeldMemory {
  readonly #post: ((message: FromWorker) => void) | null
  #nextId: number

  /**
   * @param post to the main thread; null: no piece needs to outlive this thread
   * @param firstId above the ids of all pieces that earlier threads left
   */
  constructor(post: ((message: FromWorker) => void) | null, firstId = 1) {
    this.#post = post
    this.#nextId = firstId
  }

  /** @param bytes rounded up to a multiple of 8 */
  allocate(kind: HeldKind, bytes: number): HeldBlock {
    const size = HEADER_BYTES + Math.ceil(bytes / 8) * 8
    const memory = this.#post === null ? new ArrayBuffer(size) : new SharedArrayBuffer(size)
    const header = new Float64Array(memory, 0, HEADER_FIELDS)
    header[KIND] = kind
    header[ID] = this.#nextId
    this.#nextId += 1
    const held = viewHeld(memory)
    if (memory instanceof SharedArrayBuffer) this.#post?.({ t: 'held', id: held.id, memory })
    return held
  }

  /**
   * Returns a piece to the system.
   *
   * @param inUse a socket may still read it, so that its pages must stay
   */
  release(held: { readonly id: number }, inUse = false): void {
    this.#post?.({ t: 'released', id: held.id, inUse })
  }
}
