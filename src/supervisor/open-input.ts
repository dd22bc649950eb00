/** The input of a run that has been opened. */
import type { PacketSocket, SocketOpener } from '../capture/af-packet/socket-opener.ts'
import type { CapSource, FileSource } from '../capture/worker-data.ts'
import type { CaptureTarget } from '../target/capture-target.ts'
import type { InterfaceInfo } from '../target/interface-info.ts'

/** Input that one capture worker reads from beginning to end. */
export interface WholeInput {
  kind: 'whole'
  source: FileSource | CapSource
  /** Interfaces by id, where they are known in advance. */
  interfaces: InterfaceInfo[]
}

/** Packet sockets, which may be opened and closed during the run. */
export interface SocketInput {
  kind: 'sockets'
  sockets: SocketOpener
  /** Sockets that are open from the beginning. */
  opened: { target: CaptureTarget; socket: PacketSocket }[]
  /** Whether others are added during the run. */
  open: boolean
  /** Inode of the main thread's network namespace. */
  readonly ownNetns: number
}

export type OpenInput = WholeInput | SocketInput

/** The number of interfaces; null: it changes during the run. */
export function interfacesOf(input: OpenInput): number | null {
  if (input.kind === 'whole') return 1
  return input.open ? null : input.opened.length
}
