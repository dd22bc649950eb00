/** One target that is captured: its sockets, its counters, and what they share with the capture worker. Main thread. */
import type { Resolvers } from '../../async/with-resolvers.ts'
import type { PacketSocket } from '../../capture/af-packet/socket-opener.ts'
import type { LentSocket } from '../../capture/worker-data.ts'
import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import type { CounterBlock } from '../../ledger/ledger.ts'
import type { CaptureTarget } from '../../target/capture-target.ts'
import type { CaptureSlot } from '../workers/capture-slot.ts'

/** A socket, and what its worker knows of it. */
interface Lending {
  readonly socket: PacketSocket
  readonly lent: LentSocket
}

export interface CapturedTarget {
  target: CaptureTarget
  current: Lending
  /** The socket that `current` has replaced, while its worker reads its last frames. */
  previous: Lending | null
  readonly slot: CaptureSlot
  readonly domain: number
  /** One block for each assembler. */
  readonly traffic: readonly SharedArrayBuffer[]
  up: boolean
  readonly closed: Resolvers<void>
}

/** The counters of the target's interface. */
export const blockOf = ({ current }: CapturedTarget): CounterBlock => ({
  layout: CAPTURE_COUNTERS,
  values: current.lent.counters,
})

/** Its sockets in the order in which they are read: the frames of the previous one are older. */
export const lentSockets = ({ previous, current }: CapturedTarget): LentSocket[] =>
  previous === null ? [current.lent] : [previous.lent, current.lent]

/** Size of a socket's kernel ring. Bytes. */
export const ringBytesOf = ({ blockBytes, blockCount }: PacketSocket): number => blockBytes * blockCount

/** The port to which a mesh's rules redirect outgoing connections: the first of its outbound ports; 0: none. */
export const proxyPort = ({ info }: CaptureTarget): number => info.vantagePoint?.outboundPorts[0] ?? 0

/** Whether both need the same kernel filter. */
export const sameFilter = (a: CaptureTarget, b: CaptureTarget): boolean =>
  a.tunnels === b.tunnels &&
  sameSet(a.excludePorts, b.excludePorts) &&
  sameSet(a.onlyAddresses, b.onlyAddresses) &&
  JSON.stringify(a.onlyPorts) === JSON.stringify(b.onlyPorts)

function sameSet<T>(a: readonly T[] | null, b: readonly T[] | null): boolean {
  if (a === null || b === null) return a === b
  const known = new Set(a)
  return known.size === new Set(b).size && b.every((item) => known.has(item))
}
