/**
 * What the shipper says of its buffer and its output, in shared memory: written by the shipper after every turn, read by
 * whoever wants to know.
 */
const BYTES = 0
const OLDEST_MS = 1
const REACHABLE = 2
const FIELDS = 3

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
