/**
 * State of the shipper's buffer and output, in shared memory: the shipper writes it after every iteration of its loop,
 * any thread may read it.
 */
const BYTES = 0
const OLDEST_MS = 1
const REACHABLE = 2
/** Fields of OutputProgress. */
const BEGUN = 3
const PAIRS = 4
const SIZE = 5
/** Fields of the tap. */
const TAP_READERS = 6
const TAP_NOT_SHOWN = 7
const TAP_OPEN = 8
const FIELDS = 9

const UNKNOWN = 0
const YES = 1
const NO = 2

/** A view of a block from `allocate`, for the shipper or for a reader. */
export class ShipStatus {
  readonly #fields: Float64Array

  constructor(shared: SharedArrayBuffer) {
    this.#fields = new Float64Array(shared)
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(FIELDS * 8)
  }

  /** Bytes waiting in the queue and in the sink. */
  get bytes(): number {
    return this.#fields[BYTES]
  }

  /** Milliseconds that the oldest pair has waited; 0 when none waits. */
  get oldestMs(): number {
    return this.#fields[OLDEST_MS]
  }

  /** Whether the last attempt to write to the output succeeded; null: there was none yet. */
  get reachable(): boolean | null {
    const value = this.#fields[REACHABLE]
    return value === UNKNOWN ? null : value === YES
  }

  /** Whether the tap is open. */
  get tapOpen(): boolean {
    return this.#fields[TAP_OPEN] === 1
  }

  /** Shipper only. */
  set tapOpen(isOpen: boolean) {
    this.#fields[TAP_OPEN] = isOpen ? 1 : 0
  }

  /** Readers of the tap. */
  get tapReaders(): number {
    return this.#fields[TAP_READERS]
  }

  /** Shipper only. */
  set tapReaders(readers: number) {
    this.#fields[TAP_READERS] = readers
  }

  /** Pairs that a reader of the tap did not receive because it was slow, over all readers. */
  get tapNotShown(): number {
    return this.#fields[TAP_NOT_SHOWN]
  }

  /** Shipper only. */
  set tapNotShown(pairs: number) {
    this.#fields[TAP_NOT_SHOWN] = pairs
  }

  /** Shipper only. */
  publish(bytes: number, oldestMs: number, reachable: boolean | null): void {
    this.#fields[BYTES] = bytes
    this.#fields[OLDEST_MS] = oldestMs
    this.#fields[REACHABLE] = reachable === null ? UNKNOWN : reachable ? YES : NO
  }
}

/** How far an output is written, in shared memory: a shipper that replaces a failed one continues the same file. */
export class OutputProgress {
  readonly #fields: Float64Array

  /** @param shared the block of ShipStatus */
  constructor(shared: SharedArrayBuffer) {
    this.#fields = new Float64Array(shared)
  }

  /** Whether the format's opening was written. */
  get begun(): boolean {
    return this.#fields[BEGUN] === 1
  }

  set begun(value: boolean) {
    this.#fields[BEGUN] = value ? 1 : 0
  }

  /** Pairs written. */
  get pairs(): number {
    return this.#fields[PAIRS]
  }

  set pairs(value: number) {
    this.#fields[PAIRS] = value
  }

  /** Size of the file in bytes after the last pair. */
  get bytes(): number {
    return this.#fields[SIZE]
  }

  set bytes(value: number) {
    this.#fields[SIZE] = value
  }
}
