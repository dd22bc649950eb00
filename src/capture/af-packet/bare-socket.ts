/**
 * Opens AF_PACKET sockets with a TPACKET_V3 ring (packet(7)). Main thread: it owns descriptors and mappings and lends
 * them to a capture worker by number and address, so that a worker can die and its successor go on with the same ring.
 *
 * Another network namespace is entered for the moment in which the socket is made; it stays the socket's, and all that
 * follows is done from our own.
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
import type { OutgoingRule } from '../filter/kernel-filter.ts'
import { LINKTYPE_RAW } from '../wire/link-types.ts'
import { RETIRE_MS, ringShape } from './ring-geometry.ts'
import { bindToInterface, linkTypeOf } from './socket-calls.ts'

/** The pseudo-interface that means all. */
const ANY = 'any'

/** Where to capture. */
export interface CapturePoint {
  /** Interface name within its namespace, or ANY. */
  readonly device: string
  /** Its network namespace, of this inode, or of whatever inode; null: our own. */
  readonly netns: { readonly path: string; readonly inode: number | null } | null
}

/** No interface of this name is there: a usage error where a person named it. */
export class NoInterfaceError extends InterceptorError {
  constructor(device: string) {
    const names = interfaceNames()
    const guess = nearest(device, [...names, ANY])
    const question = guess === null ? '' : `: did you mean ${guess}?`
    const hint = `Interfaces of this host: ${names.join(', ')}; any captures all of them.`
    super(EXIT_USAGE, `there is no network interface ${device}${question}`, { hint })
  }
}

/** How large the kernel's ring is to be. */
export interface RingSize {
  /** Bytes kept of a frame. */
  readonly snapLength: number
  readonly ringBytes: number
}

/** A socket that receives nothing yet: it has no filter, no ring, and is not bound. */
export interface BareSocket {
  readonly fd: number
  /** Without a link layer: the filter sees packets. */
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
 * Makes a socket for an interface, in its namespace.
 *
 * @returns to be given back with `closeSocket`
 * @throws InterceptorError: privilege (CAP_NET_RAW, CAP_SYS_ADMIN for another namespace), NoInterfaceError, runtime
 *   (no AF_PACKET here); NetnsChangedError, or the error of opening the namespace, which no longer exists; NetnsReturnError,
 *   which must end the process
 */
export function openBareSocket({ device, netns }: CapturePoint): BareSocket {
  if (netns === null) return openHere(device)
  try {
    return withNetns(netns.path, () => openHere(device), netns.inode)
  } catch (error) {
    if (hasCode(error, 'EPERM')) throw namespaceDenied('entering', netns.path, 'SYS_ADMIN', error)
    if (isHidden(error)) throw namespaceDenied('looking at', netns.path, 'SYS_PTRACE', error)
    throw error
  }
}

/** Whether opening a path of another process was refused. */
const isHidden = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && 'syscall' in error && error.syscall === 'open' && error.code === 'EACCES'

const namespaceDenied = (what: string, path: string, capability: string, cause: unknown) =>
  privilegeError(`${what} the network namespace ${path} needs CAP_${capability}`, {
    hint: `run as root, or give the container the capability ${capability}`,
    cause,
  })

/**
 * Gives a socket its ring.
 *
 * @throws InterceptorError (runtime) when the kernel has no memory for it
 */
export function mapRing(fd: number, device: string, { snapLength, ringBytes }: RingSize): MappedRing {
  const { blockBytes, blockCount } = ringShape(ringBytes, snapLength)
  try {
    setsockoptInt(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3, 'PACKET_VERSION')
    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, encodeTpacketReq3(blockBytes, blockCount, RETIRE_MS), 'PACKET_RX_RING')
    return { address: mapShared(fd, blockBytes * blockCount), blockBytes, blockCount }
  } catch (error) {
    throw runtimeError(
      `the kernel allocates no ring of ${blockCount} blocks of ${blockBytes} bytes for ${device}: ${(error as Error).message}`,
      { hint: 'make capture.ringBytes smaller', cause: error },
    )
  }
}

/**
 * Binds a socket to its interface: frames gather in its ring from here on.
 *
 * @returns the interface's index, 0 for all
 * @throws NoInterfaceError when the interface was deleted since, SystemError when it cannot be bound
 */
export function bindSocket(fd: number, device: string, promiscuous: boolean): number {
  const link = device === ANY ? null : requireInterface(fd, device)
  bindToInterface(fd, link, promiscuous)
  return link?.index ?? 0
}

/** Unmaps. Only when no worker reads the ring any more: reading it afterwards ends the process. */
export function unmapRing({ address, blockBytes, blockCount }: MappedRing): void {
  unmap(address, blockBytes * blockCount)
}

/**
 * Closes a socket, and with its mapping gone frees its ring. The kernel waits for all its CPUs meanwhile, some 25 ms, so
 * this is done beside the main thread.
 */
export const closeSocket = (fd: number): Promise<void> =>
  new Promise((resolve) => {
    closeDescriptor(fd, () => resolve())
  })

/**
 * Tries whether AF_PACKET sockets can be opened here at all.
 *
 * @throws InterceptorError: privilege or runtime, as `openBareSocket`
 */
export const probeAfPacket = (): void => close(packetSocket(SOCK_RAW))

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

/** Through a socket of another kind: closing a packet socket is slow. */
function lookUp(device: string): NetworkInterface {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  try {
    return requireInterface(fd, device)
  } finally {
    close(fd)
  }
}

/** A packet socket of no protocol: it receives nothing before it is bound, so nothing passes unfiltered. */
function packetSocket(type: number): number {
  try {
    return socket(AF_PACKET, type | SOCK_CLOEXEC, 0)
  } catch (error) {
    if (hasCode(error, 'EPERM', 'EACCES')) throw captureDenied(error)
    throw runtimeError(`this system opens no AF_PACKET socket: ${(error as Error).message}`, {
      hint: 'capture with --source cap instead',
      cause: error,
    })
  }
}

const captureDenied = (cause: unknown) =>
  privilegeError('capturing needs the capability CAP_NET_RAW', {
    hint: `run as root, or once: sudo setcap cap_net_raw+ep "$(readlink -f ${process.execPath})"; in Kubernetes add NET_RAW to securityContext.capabilities`,
    cause,
  })

function requireInterface(fd: number, device: string): NetworkInterface {
  const link = findInterface(fd, device)
  if (link !== null) return link
  throw new NoInterfaceError(device)
}

/** Loopback delivers each packet twice; where the kernel can (4.20) it spares itself the second one altogether. */
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
