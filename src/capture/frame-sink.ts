import type { InterfaceInfo } from '../target/interface-info.ts'

/**
 * What a source knows of the frame at hand beside its bytes. Source and sink share this object because a double passed as
 * an argument is boxed, which would allocate for every frame.
 */
export class FrameStamp {
  /** Capture time, microseconds since the Unix epoch. */
  micros = 0
  /**
   * Control information of up to two VLAN tags that are not in the bytes, because the kernel took them out: the outer tag
   * in the lower 16 bits, the inner one in the upper; 0: none. Only live sources set it.
   */
  vlan = 0
}

/**
 * Where a source puts its frames. Calls happen in capture order on the capture worker's thread; `Intake` is the
 * implementation that decodes just enough to steer a frame, then copies it into a ring.
 */
export interface FrameSink {
  /** The source sets it before each frame and tick. */
  readonly stamp: FrameStamp
  /** Announces an interface before its first frame. Ids are chosen by the source, unique within its worker. */
  addInterface(id: number, info: InterfaceInfo): void
  /** The interface was removed: its flows end here. */
  removeInterface(id: number): void
  /**
   * One frame. Nothing is kept: `bytes` may be overwritten once this returns.
   *
   * @param bytes,view the same memory, two views
   * @param start first byte of the link-layer header
   * @param capturedLength bytes present; @param wireLength bytes the frame had, when a snap length cut it
   * @param linkType a LINKTYPE_ value (pcap-linktype(7))
   */
  frame(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    capturedLength: number,
    wireLength: number,
    linkType: number,
    interfaceId: number,
  ): void
  /** Frames, by link type, that could not be read for their link type since last asked. */
  takeUnread(): ReadonlyMap<number, number>
  /** Packet time went on without a frame (live sources call this when idle). */
  tick(): void
  /** End of a batch: makes everything so far visible to the assemblers. */
  flush(): void
}

/** For sources that can hold frames back for a while, but not for ever. */
export interface PressedSink extends FrameSink {
  /** Whether frames of `bytes` altogether have room, whichever assembler they are for. Asked before handing them over. */
  hasRoom(bytes: number): boolean
  /** Frames cannot be held back any longer, and some will be lost: leave whole connections out. */
  press(): void
  /** Counts what comes from here on into another CAPTURE_COUNTERS block: the interface's whose frames these are. */
  countInto(counters: Float64Array): void
}
