/** A capture worker's `workerData`, and the messages that the main thread posts to it. */
import type { BpfInstruction } from '../sys/packet.ts'

/** A capture file and how to read it. */
export interface FileSource {
  kind: 'file'
  /** `-` is standard input. */
  paths: string[]
  /** At the end of the last file, wait for more data. */
  follow: boolean
  /** BPF expression that frames must match, as `capture.filter`; empty: none. */
  filter: string
}

/** AF_PACKET rings that the main thread has opened and mapped. `ToCapture` messages add and remove rings later. */
export interface AfPacketSource {
  kind: 'af-packet'
  sockets: LentSocket[]
  /** Descriptor of a WakeEvent, signalled after a command or a message. */
  wakeFd: number
}

/**
 * Words of `LentSocket.progress`: the lower half of a block's number; how many of its frames have been delivered; how many
 * have been begun; and the number, from 1, of the frame that a successor has begun again.
 */
export const RING_PROGRESS_WORDS = 4

/** One AF_PACKET ring, lent to the worker by descriptor and address. */
export interface LentSocket {
  interfaceId: number
  /** The worker must close it, as after a `close` message. */
  closing: boolean
  /** A larger ring of the same interface, later in the list, continues it, as after a `replace` message. */
  replaced: boolean
  /** Whether the main thread replaces the ring by a larger one when asked to (`ringShort`). */
  mayGrow: boolean
  /** The interface's own block of CAPTURE_COUNTERS. */
  counters: Float64Array
  /** Interface name within its network namespace, or `any`. */
  device: string
  /** Kernel index it was bound to; 0 for all interfaces. */
  interfaceIndex: number
  promiscuous: boolean
  fd: number
  /** Its filter, to which the worker adds a rule under overload. */
  program: readonly BpfInstruction[]
  /** Address of the mapped ring in this process. */
  address: bigint
  blockBytes: number
  blockCount: number
  /** LINKTYPE_ value of its frames: Ethernet, or raw IP where the kernel removes the link layer. */
  linkType: number
  /** Shared, RING_PROGRESS_WORDS: how far the ring has been read, for the successor of a worker that crashes. */
  progress: Int32Array
  /**
   * Shared, one word: on the loopback interface of a pod with a sidecar, the proxy's port to which outgoing connections
   * are redirected; else 0.
   */
  proxyPort: Int32Array
  /** Shared: on a loopback interface REDIRECTED_BYTES, the local ports whose connections are redirected; else empty. */
  redirected: Uint8Array
}

/** libpcap through the `cap` package, in a child process; all its interfaces share one worker. */
export interface CapSource {
  kind: 'cap'
  interfaces: { interfaceId: number; device: string }[]
  filter: string
  snapLength: number
  bufferBytes: number
}

export type SourceSpec = FileSource | AfPacketSource | CapSource

export interface CaptureWorkerData {
  source: SourceSpec
  /** One frame ring per assembler, in slot order; none where the only assembler shares the thread. */
  rings: SharedArrayBuffer[]
  /** For each ring, the connections whose payload its assembler does not need (ring/opaque-marks.ts); none for files. */
  marks: SharedArrayBuffer[]
  /** Each assembler's doorbell, in slot order. */
  assemblerBells: SharedArrayBuffer[]
  /** Rung when a full ring has room again, or the command has changed; packet sockets have `wakeFd` instead. */
  ownBell: SharedArrayBuffer
  control: SharedArrayBuffer
  /** A CAPTURE_COUNTERS block for counts that belong to no single interface. */
  counters: Float64Array
  /** When a ring is full: files wait for room, live capture drops the newest frame and counts it. */
  whenFull: 'wait' | 'drop'
  /** Secret of the flow hash, int32; 0 for files, so that a run can be repeated. */
  secret: number
  /** The assemblers' rings to the shipper, in live capture; empty for files. */
  pairRings: SharedArrayBuffer[]
  /** Tunnels to decode, as in the configuration's `capture.tunnels`. */
  tunnels: readonly string[]
  /** Share of a core that the warm-up may use; 1: all of it, 0: there is none. */
  warmUpShare: number
}

/** Messages from the main thread to a worker that reads packet sockets. */
export type ToCapture =
  /** Also read this socket; it is already bound to its interface. */
  | { t: 'open'; socket: LentSocket }
  /**
   * Bind this socket, which has a larger ring, instead of the interface's previous one. Read that to its end first, and report
   * `replaced`.
   */
  | { t: 'replace'; socket: LentSocket }
  /** The main thread has attached another filter to this socket. */
  | { t: 'filter'; interfaceId: number; program: readonly BpfInstruction[] }
  /** Read the remaining frames of this socket's ring, end its flows, and report `closed`. */
  | { t: 'close'; interfaceId: number }
