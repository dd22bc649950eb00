/**
 * What the shipper says of its buffer and its output, in shared memory: written by the shipper after every turn, read by
 * whoever wants to know.
 */
const BYTES = 0
const OLDEST_MS = 1
const REACHABLE = 2
/** Of OutputProgress. */
const BEGUN = 3
const PAIRS = 4
const SIZE = 5
const FIELDS = 6

const UNKNOWN = 0
const YES = 1
const NO = 2

export class ShipStatus {
  readonly #fields: Float64Array

  constructor(shared: SharedArrayBuffer) {
    this.#fields = new Float64Array(shared)
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(FIELDS * 8)
  }

  /** Bytes that wait, in the queue and in the sink. */
  get bytes(): number {
    return this.#fields[BYTES]
  }

  /** How long the oldest pair has waited; 0 when none waits. */
  get oldestMs(): number {
    return this.#fields[OLDEST_MS]
  }

  /** Whether the output takes pairs; null: it was not tried yet. */
  get reachable(): boolean | null {
    const value = this.#fields[REACHABLE]
    return value === UNKNOWN ? null : value === YES
  }

  /** Shipper only. */
  publish(bytes: number, oldestMs: number, reachable: boolean | null): void {
    this.#fields[BYTES] = bytes
    this.#fields[OLDEST_MS] = oldestMs
    this.#fields[REACHABLE] = reachable === null ? UNKNOWN : reachable ? YES : NO
  }
}

/** How far an output has come, in shared memory: a shipper that replaces one that failed continues the same file. */
export class OutputProgress {
  readonly #fields: Float64Array

  /** @param shared the block of ShipStatus */
  constructor(shared: SharedArrayBuffer) {
    this.#fields = new Float64Array(shared)
  }

  /** Whether the document's beginning was written. */
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

  /** Size of the file after the last of them. */
  get bytes(): number {
    return this.#fields[SIZE]
  }

  set bytes(value: number) {
    this.#fields[SIZE] = value
  }
}
