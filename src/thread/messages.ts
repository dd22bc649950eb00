/**
 * The control plane between the main thread and its workers: what a worker is started with, its control words in
 * shared memory, and the messages it posts. Frames, pairs and counters never travel here.
 */
import type { Config } from '../config/schema.ts'
import type { AddressEntry } from '../pair/endpoint-pod.ts'
import type { InterfaceInfo, VantagePolicy } from '../target/interface-info.ts'

/** Words of a worker's control block (Int32Array over shared memory). */
export const CONTROL_COMMAND = 0
/** Counts the worker's turns; a worker that stands still for seconds is stuck. */
export const CONTROL_HEARTBEAT = 1
/** See ship: the consumer of the output has gone away (closed pipe) or has had enough (-c). */
export const CONTROL_STATE = 2
/** 1 while messages wait in the worker's port (mailbox.ts). */
export const CONTROL_MAIL = 3
/** Two words that are one double: CPU seconds the thread has used; below 0 while they are not known. */
export const CONTROL_CPU = 4
export const CONTROL_WORDS = 16

/** Values of CONTROL_COMMAND. */
export const COMMAND_RUN = 0
/** Finish what is there, in stream order, then stop. */
export const COMMAND_DRAIN = 1
/** Stop now. What is lost is counted. */
export const COMMAND_STOP = 2

/** A capture file and how to read it. */
export interface FileSource {
  kind: 'file'
  /** `-` is standard input. */
  paths: string[]
  /** Keep reading at the end of the last file, as it is still being written. */
  follow: boolean
}

/** AF_PACKET rings opened and mapped by the main thread, lent by descriptor and address. More come and go as `ToCapture`. */
export interface AfPacketSource {
  kind: 'af-packet'
  sockets: LentSocket[]
}

export interface LentSocket {
  interfaceId: number
  /** It is to be let go, as `close` of `ToCapture` says. */
  closing: boolean
  /** Of this interface alone: a block of CAPTURE_COUNTERS. */
  counters: Float64Array
  /** Interface name within its network namespace, or `any`. */
  device: string
  /** Kernel index it was bound to; 0 for all interfaces. */
  interfaceIndex: number
  promiscuous: boolean
  fd: number
  /** Address of the mapped ring in this process. */
  address: bigint
  blockBytes: number
  blockCount: number
  /** LINKTYPE_ value of its frames: Ethernet, or raw IP where the kernel takes the link layer off. */
  linkType: number
  /** Shared, one word: on the loopback of a pod with a sidecar the port that its outgoing connections are turned to, else 0. */
  proxyPort: Int32Array
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
  /** One frame ring per assembler, in slot order. */
  rings: SharedArrayBuffer[]
  /** Each assembler's doorbell, in slot order. */
  assemblerBells: SharedArrayBuffer[]
  /** Rung when a ring this worker waits on has room again, or the command changed. */
  ownBell: SharedArrayBuffer
  control: SharedArrayBuffer
  /** What belongs to none of its interfaces, or to all: a block of CAPTURE_COUNTERS. */
  counters: Float64Array
  /** Full ring: files wait for room, live capture drops the newest frame and counts it. */
  whenFull: 'wait' | 'drop'
}

/** What the main thread tells a capture worker of packet sockets. */
export type ToCapture =
  /** Another socket to read, bound to its interface already. */
  | { t: 'open'; socket: LentSocket }
  /** Let this one go: what its ring still holds is taken, its flows end, `closed` is the answer. */
  | { t: 'close'; interfaceId: number }

/** What the main thread tells every assembler. */
export type ToAssembler =
  /** A new interface, or more about a known one. It comes before the interface's first frame. */
  | { t: 'interface'; id: number; info: InterfaceInfo }
  /** What is known now of these addresses; of others what was known stays. */
  | { t: 'addresses'; entries: readonly AddressEntry[] }
  /** Rules that hold from here on. */
  | { t: 'filter'; filter: Config['filter'] }
  /** Which vantages are kept, for connections that begin from here on. */
  | { t: 'policy'; policy: VantagePolicy }

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** What a worker may tell the main thread. */
export type FromWorker =
  | { t: 'ready' }
  | { t: 'log'; level: LogLevel; message: string; fields?: Record<string, unknown> }
  /** A capture file is damaged or cut short; reading went on where it could. Offset in bytes of the (unzipped) file. */
  | { t: 'damage'; path: string; offset: number; reason: string }
  | { t: 'progress'; path: string; bytes: number; totalBytes: number | null }
  /** An interface stopped delivering. The worker waits for it and says when it is back. */
  | { t: 'interfaceLost'; interfaceId: number; name: string; reason: 'down' | 'deleted' }
  | { t: 'interfaceBack'; interfaceId: number; name: string }
  /** The worker will not touch this socket or its ring again. */
  | { t: 'closed'; interfaceId: number }
  /** Input ended and every ring is closed, or the drain is complete. */
  | { t: 'done' }
  /** Cannot go on; the code is an exit code of the contract. */
  | { t: 'failed'; message: string; exitCode: number; hint?: string }
