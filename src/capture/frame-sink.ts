import type { InterfaceInfo } from '../target/interface-info.ts'
import type { RecordShape } from './files/pcap-resync.ts'

/**
 * Metadata of the current frame. Source and sink share this object because V8 allocates for a double that is passed as
 * an argument, which would happen for every frame.
 */
export class FrameStamp {
  /** Capture time, microseconds since the Unix epoch. */
  micros = 0
  /**
   * Control information of up to two VLAN tags that the kernel removed from the bytes: the outer tag in the lower 16
   * bits, the inner one in the upper; 0: none. Only live sources set it.
   */
  vlan = 0
}

/**
 * Receives a source's frames, in capture order, on the capture worker's thread. `Intake` is the implementation.
 */
export interface FrameSink {
  /** Set by the source before each frame and tick. */
  readonly stamp: FrameStamp
  /** Announces an interface before its first frame. Ids are chosen by the source, unique within its worker. */
  addInterface(id: number, info: InterfaceInfo): void
  /** Ends the flows of an interface that was removed. */
  removeInterface(id: number): void
  /**
   * Processes one frame. `bytes` may be overwritten once this returns.
   *
   * @param bytes,view the same memory
   * @param start first byte of the link-layer header
   * @param capturedLength bytes present; @param wireLength bytes on the wire, more than captured if a snap length cut it
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
  /** Returns the number of frames skipped for an unreadable link type, by link type, since the last call. */
  drainUnread(): ReadonlyMap<number, number>
  /** Advances packet time without a frame; live sources call this when idle. A sleeping assembler is not woken for it. */
  tick(): void
  /** Ends a batch: makes all frames so far visible to the assemblers. */
  flush(): void
}

/** A part of a pcap file: records of Ethernet frames one after the other, little-endian, whose last one may be cut. */
export interface PcapRecords {
  readonly bytes: Uint8Array
  /** Where in `bytes`. */
  at: number
  end: number
  readonly shape: RecordShape
  readonly interfaceId: number
}

/** A sink for the readers of files. */
export interface FileSink extends FrameSink {
  /**
   * Processes the first frames at once if it can, as `frame` would do one by one.
   *
   * @returns where the first record begins that it leaves to `frame`; `stamp` has the time of the one before
   */
  plainFrames(records: PcapRecords): number
}

/** Frames that wait in the source's buffer for the sink. */
export interface Backlog {
  /** In all of its buffers. */
  readonly bytes: number
  /** In the fullest buffer, and the size of that one. */
  readonly fullest: number
  readonly capacity: number
  /** Frames that had no room in the buffer since the last measurement. */
  readonly lost: number
}

/** A sink for sources that can delay frames for a limited time. */
export interface SheddingSink extends FrameSink {
  /** Whether every assembler has room for frames of `bytes` in total. */
  hasRoom(bytes: number): boolean
  /**
   * Sets the function that measures the source's backlog, one of the inputs that decide whether connections are shed. It is
   * called every few milliseconds while frames arrive.
   */
  watchBacklog(measure: () => Backlog): void
  /** Connections are kept whose hash has lower 16 bits below this; 65,536: all. */
  readonly keepThreshold: number
  /** The system clock, and with it the capture time of later frames, was set. @param stepMicros below 0: it was set back */
  stepClock(stepMicros: number): void
  /** Returns memory to the system that only a burst needed (Linux). To be called now and then. */
  releaseMemory(): void
  /** Counts the following frames in another CAPTURE_COUNTERS block, that of their interface. */
  countInto(counters: Float64Array): void
}
