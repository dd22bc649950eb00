/**
 * Operations on a packet socket that need only its descriptor and work on any thread: filter, binding, statistics. The
 * socket stays in the network namespace in which it was opened.
 */
import { withAddress } from '../../sys/ffi.ts'
import type { NetworkInterface } from '../../sys/interfaces.ts'
import { bind, getsockname, getsockopt, setsockopt } from '../../sys/libc.ts'
import {
  ARPHRD_ETHER,
  ARPHRD_LOOPBACK,
  type BpfInstruction,
  ETH_P_ALL,
  encodeInstructions,
  encodeProgram,
  encodePromiscuous,
  encodeSockaddrLl,
  interfaceIndexOf,
  PACKET_ADD_MEMBERSHIP,
  PACKET_STATISTICS,
  SO_ATTACH_FILTER,
  SO_ERROR,
  SOL_PACKET,
  SOL_SOCKET,
} from '../../sys/packet.ts'
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../wire/link-types.ts'

/**
 * The link type to capture an interface with: Ethernet where its frames have that header, otherwise bare packets, from
 * which the kernel removes the link layer (tunnels, WireGuard, and `any`, whose interfaces differ).
 */
export const linkTypeOf = (hardwareType: number): number =>
  hardwareType === ARPHRD_ETHER || hardwareType === ARPHRD_LOOPBACK ? LINKTYPE_ETHERNET : LINKTYPE_RAW

/** Replaces the socket's filter, atomically for all following frames. @throws SystemError */
export function attachFilter(fd: number, program: readonly BpfInstruction[]): void {
  const instructions = encodeInstructions(program)
  withAddress(instructions, (address) => {
    const filter = encodeProgram(program.length, address)
    setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, 'SO_ATTACH_FILTER')
  })
}

/** Starts delivery from one interface; null: from all. @throws SystemError */
export function bindToInterface(fd: number, link: Pick<NetworkInterface, 'index'> | null, promiscuous: boolean): void {
  bind(fd, encodeSockaddrLl(ETH_P_ALL, link?.index ?? 0))
  if (promiscuous && link !== null) {
    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, encodePromiscuous(link.index), 'PACKET_ADD_MEMBERSHIP')
  }
}

/**
 * Whether the interface that a socket was bound to still exists. One created again under its name or index does not
 * count.
 */
export function isAttached(fd: number, interfaceIndex: number): boolean {
  const address = encodeSockaddrLl(0, 0)
  getsockname(fd, address)
  return interfaceIndexOf(address) === interfaceIndex
}

const statistics = new Uint32Array(3)
const statisticsBytes = new Uint8Array(statistics.buffer)

/** Frames that the kernel dropped since the last call because the ring was full. @throws SystemError */
export function readKernelDrops(fd: number): number {
  getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statisticsBytes, 'PACKET_STATISTICS')
  // struct tpacket_stats_v3: tp_packets, tp_drops, tp_freeze_q_cnt; reading resets it.
  return statistics[1]
}

const pending = new Int32Array(1)
const pendingBytes = new Uint8Array(pending.buffer)

/** Reads and clears the socket's pending error, so that poll stops reporting it. @returns an errno, 0 for none */
export function clearError(fd: number): number {
  getsockopt(fd, SOL_SOCKET, SO_ERROR, pendingBytes, 'SO_ERROR')
  return pending[0]
}
