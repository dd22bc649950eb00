/** Receives complete pairs. */
export interface PairSink {
  /** Whether it needs no bytes of pairs: their records have PAIR_FIELDS_BYTES then. Default: it needs them. */
  readonly onlyCounts?: boolean
  /**
   * @param start, end pairs as records of the pair ring (ring/layout.ts), in the assembler's memory, valid during the call. Their
   *   words ARRIVAL_AT hold the id of the connection's interface, where a reader of the ring expects 0
   * @returns `end`, or the first record for which there was no room: that pair is lost (pairs.dropped.ring)
   */
  emit(start: number, end: number): number
}
