/** Receives complete pairs. */
export interface PairSink {
  /**
   * @param record, size the pair as a record of the pair ring (ring/layout.ts), in the assembler's memory, valid during the call.
   *   Its word ARRIVAL_AT holds the id of the connection's interface, where a reader of the ring expects 0
   * @returns false when there was no room and the pair is lost (pairs.dropped.ring)
   */
  emit(record: number, size: number): boolean
}
