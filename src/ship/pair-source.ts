/** Where a sink takes pairs from, in order of arrival. */
export interface PairSource {
  /** The oldest pair, valid after `front()` returned true: `bytes[start … start + length)`. */
  readonly bytes: Uint8Array
  readonly start: number
  readonly length: number
  /** The bytes it counts for in the buffer. */
  readonly recordBytes: number
  /** uint32 hashes of the connection and of the server's address. */
  readonly connection: number
  readonly server: number
  /** The request's first byte, microseconds since the Unix epoch. */
  readonly micros: number
  /** When it was read from its ring, on the shipper's clock, modulo 2^32. */
  readonly arrivedMs: number
  /** Points the fields above to the oldest pair. @returns false when there is none */
  front(): boolean
  /**
   * Removes that pair; the fields remain. Done before it is processed: a pair that ends this thread must not end the
   * next one, too.
   */
  take(): void
}
