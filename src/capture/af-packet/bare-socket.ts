/**
 * Opens AF_PACKET sockets with a TPACKET_V3 ring (packet(7)). Main thread: it owns descriptors and mappings and lends
 * them to a capture worker by number and address, so that the successor of a crashed worker continues with the same
 * ring.
 *
 * Another network namespace is entered only while the socket is created. The socket stays in it, and everything else is
 * done from the process's own namespace.
 */

import { close as closeDescriptor } from 'node:fs'
import { nearest } from '../../config/nearest.ts'
import { EXIT_USAGE, InterceptorError, privilegeError, runtimeError } from '../../errors.ts'
import { findInterface, interfaceNames, type NetworkInterface } from '../../sys/interfaces.ts'
import { close, mapShared, setsockopt, setsockoptInt, socket, unmap } from '../../sys/libc.ts'
import { withNetns } from '../../sys/netns.ts'
import {
  AF_INET,
  AF_PACKET,
  encodeTpacketReq3,
  PACKET_IGNORE_OUTGOING,
  PACKET_RX_RING,
  PACKET_VERSION,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_PACKET,
  TPACKET_V3,
} from '../../sys/packet.ts'
import { hasCode } from '../../sys/system-error.ts'
import { captureDenied } from '../capture-denied.ts'
import type { OutgoingRule } from '../filter/kernel-filter.ts'
import { LINKTYPE_RAW } from '../wire/link-types.ts'
import { RETIRE_MS, ringShape } from './ring-geometry.ts'
import { bindToInterface, linkTypeOf } from './socket-calls.ts'

/** The pseudo-interface that means all interfaces. */
const ANY = 'any'

/** The interface that a socket captures on. */
export interface SocketPlace {
  /** Interface name within its namespace, or ANY. */
  readonly device: string
  /** Its network namespace, which must have this inode (null: any); null: the process's own namespace. */
  readonly netns: { readonly path: string; readonly inode: number | null } | null
}

/** There is no interface of this name: a usage error where a person named it. */
export class NoInterfaceError extends InterceptorError {
  constructor(device: string) {
    const names = interfaceNames()
    const guess = nearest(device, [...names, ANY])
    const question = guess === null ? '' : `: did you mean ${guess}?`
    const hint = `Interfaces of this host: ${names.join(', ')}; any captures all of them.`
    super(EXIT_USAGE, `there is no network interface ${device}${question}`, { hint })
  }
}

/** Size of the kernel's ring. */
export interface RingSize {
  /** Bytes kept of a frame. */
  readonly snapLength: number
  readonly ringBytes: number
}

/** A socket that receives nothing yet: it has no filter and no ring, and is not bound. */
export interface BareSocket {
  readonly fd: number
  /** Whether frames come without a link layer, so that the filter sees packets. */
  readonly cooked: boolean
  /** null: all interfaces. */
  readonly link: NetworkInterface | null
  readonly outgoing: OutgoingRule
}

/** A ring mapped into this process. */
export interface MappedRing {
  readonly address: bigint
  readonly blockBytes: number
  readonly blockCount: number
}

/**
 * Opens a socket for an interface, in its namespace.
 *
 * @returns the socket, to be closed with `closeSocket`
 * @throws InterceptorError: EXIT_PRIVILEGE (CAP_NET_RAW, CAP_SYS_ADMIN for another namespace), NoInterfaceError, EXIT_RUNTIME
 *   (no AF_PACKET here); NetnsChangedError, or the error of opening the namespace, which no longer exists; NetnsReturnError,
 *   which must end the process
 */
export function openBareSocket({ device, netns }: SocketPlace): BareSocket {
  if (netns === null) return openHere(device)
  try {
    return withNetns(netns.path, () => openHere(device), netns.inode)
  } catch (error) {
    if (hasCode(error, 'EPERM')) throw namespaceDenied('entering', netns.path, 'SYS_ADMIN', error)
    if (isHidden(error)) throw namespaceDenied('opening', netns.path, 'SYS_PTRACE', error)
    throw error
  }
}

/** Whether permission to open a path of another process was denied. */
const isHidden = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && 'syscall' in error && error.syscall === 'open' && error.code === 'EACCES'

const namespaceDenied = (what: string, path: string, capability: string, cause: unknown) =>
  privilegeError(`${what} the network namespace ${path} needs CAP_${capability}`, {
    hint: `Run as root, or grant the container the capability ${capability}.`,
    cause,
  })

/**
 * Creates and maps a socket's ring.
 *
 * @throws InterceptorError (EXIT_RUNTIME) when the kernel has no memory for it
 */
export function mapRing(fd: number, device: string, { snapLength, ringBytes }: RingSize): MappedRing {
  const { blockBytes, blockCount } = ringShape(ringBytes, snapLength)
  try {
    setsockoptInt(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3, 'PACKET_VERSION')
    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, encodeTpacketReq3(blockBytes, blockCount, RETIRE_MS), 'PACKET_RX_RING')
    return { address: mapShared(fd, blockBytes * blockCount), blockBytes, blockCount }
  } catch (error) {
    throw runtimeError(
      `the kernel cannot allocate a ring of ${blockCount} blocks of ${blockBytes} bytes for ${device}: ${(error as Error).message}`,
      { hint: 'Lower capture.ringBytes.', cause: error },
    )
  }
}

/**
 * Binds a socket to its interface, which starts delivery into its ring.
 *
 * @returns the interface's index, 0 for all
 * @throws NoInterfaceError when the interface no longer exists, SystemError when the socket cannot be bound
 */
export function bindSocket(fd: number, device: string, promiscuous: boolean): number {
  const link = device === ANY ? null : requireInterface(fd, device)
  bindToInterface(fd, link, promiscuous)
  return link?.index ?? 0
}

/** Unmaps a ring. No worker may read it any more: a later read crashes the process. */
export function unmapRing({ address, blockBytes, blockCount }: MappedRing): void {
  unmap(address, blockBytes * blockCount)
}

/**
 * Closes a socket, which frees its ring if it is unmapped. The kernel waits for all CPUs, some 25 ms, so the call
 * runs in Node.js's thread pool.
 */
export const closeSocket = (fd: number): Promise<void> =>
  new Promise((resolve) => {
    closeDescriptor(fd, () => resolve())
  })

/**
 * Checks whether AF_PACKET sockets can be opened.
 *
 * @throws InterceptorError: EXIT_PRIVILEGE or EXIT_RUNTIME, as `openBareSocket`
 */
export function probeAfPacket(): void {
  void closeSocket(packetSocket(SOCK_RAW))
}

function openHere(device: string): BareSocket {
  const link = device === ANY ? null : lookUp(device)
  const cooked = link === null || linkTypeOf(link.hardwareType) === LINKTYPE_RAW
  const fd = packetSocket(cooked ? SOCK_DGRAM : SOCK_RAW)
  try {
    return { fd, cooked, link, outgoing: outgoingRule(fd, link) }
  } catch (error) {
    close(fd)
    throw error
  }
}

/** Uses a socket of another kind, because closing a packet socket is slow. */
function lookUp(device: string): NetworkInterface {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  try {
    return requireInterface(fd, device)
  } finally {
    close(fd)
  }
}

/** Opens a packet socket without a protocol: it receives nothing until it is bound, so no frame passes unfiltered. */
function packetSocket(type: number): number {
  try {
    return socket(AF_PACKET, type | SOCK_CLOEXEC, 0)
  } catch (error) {
    if (hasCode(error, 'EPERM', 'EACCES')) throw captureDenied({ cause: error })
    throw runtimeError(`cannot open an AF_PACKET socket: ${(error as Error).message}`, {
      hint: 'Capture with --source cap instead.',
      cause: error,
    })
  }
}

function requireInterface(fd: number, device: string): NetworkInterface {
  const link = findInterface(fd, device)
  if (link !== null) return link
  throw new NoInterfaceError(device)
}

/**
 * Loopback delivers each packet twice. Kernels from 4.20 on can suppress the second copy; otherwise the filter drops
 * it.
 */
function outgoingRule(fd: number, link: NetworkInterface | null): OutgoingRule {
  if (link === null) return 'drop-on-loopback'
  if (!link.loopback) return 'keep'
  try {
    setsockoptInt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1, 'PACKET_IGNORE_OUTGOING')
    return 'keep'
  } catch (error) {
    if (hasCode(error, 'ENOPROTOOPT')) return 'drop'
    throw error
  }
}
