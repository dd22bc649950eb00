/** Receives complete pairs. */
export interface PairSink {
  /**
   * @param start, end pairs as records of the pair ring (ring/layout.ts), in the assembler's memory, valid during the call. Their
   *   words ARRIVAL_AT hold the id of the connection's interface, where a reader of the ring expects 0
   * @returns `end`, or the first record for which there was no room: that pair is lost (pairs.dropped.ring)
   */
  emit(start: number, end: number): number
}
