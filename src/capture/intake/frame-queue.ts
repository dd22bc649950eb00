/** Where the intake puts frames for one assembler: into a ring, or in place (placed-frame-writer.ts). */
import type { PacketDecoder } from '../wire/packet-decoder.ts'

export interface FrameQueue {
  /** Longest packet, from the first byte of its frame to its end. */
  readonly maxFrame: number
  /**
   * Puts in the packet that the decoder has just found, and counts it as queued.
   *
   * @param bytes,view the same memory; @param start first byte of the frame in it
   * @param hash of the connection; in place 0, because the assembler computes it
   * @param counters a CAPTURE_COUNTERS block
   * @returns bytes that the frame occupies; 0: there is no room now, and the call may be repeated
   */
  put(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    decoder: PacketDecoder,
    hash: number,
    interfaceId: number,
    counters: Float64Array,
  ): number
  /** Whether frames of `bytes` in total would fit. */
  hasRoom(bytes: number): boolean
  /** Puts in a control record, now or as soon as there is room, in order with frames and other control records. */
  control(tag: number, interfaceId: number, payload: Uint8Array, micros?: number): void
  /** Puts in control records that wait for room. @returns true when none is left */
  writeWaiting(): boolean
  /** Puts in a TICK if there is room. A sleeping assembler is not woken for it. */
  tick(): void
  /** Makes everything visible to the assembler. */
  flush(): void
  /** Nothing follows. */
  close(): void
}
