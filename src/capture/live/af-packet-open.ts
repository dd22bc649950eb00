/**
 * Opens AF_PACKET sockets with a TPACKET_V3 ring (packet(7)). Main thread: it owns descriptors and mappings and lends
 * them to a capture worker by number and address, so that a worker can die and its successor go on with the same ring.
 */
import { privilegeError, runtimeError, usageError } from '../../errors.ts'
import type { InterfaceInfo } from '../../interfaces.ts'
import type { AfPacketSocket } from '../../messages.ts'
import { findInterface, interfaceNames, type NetworkInterface } from '../../sys/interfaces.ts'
import { close, mapShared, setsockopt, setsockoptInt, socket, unmap } from '../../sys/libc.ts'
import { withNetns } from '../../sys/netns.ts'
import {
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
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../wire/link.ts'
import { buildFilter, type Exclusion, type OutgoingRule } from './bpf.ts'
import { compileFilter } from './expression.ts'
import { attachFilter, bindToInterface, linkTypeOf } from './packet-socket.ts'
import { RETIRE_MS, ringShape } from './ring-shape.ts'

/** The pseudo-interface that means all. */
export const ANY = 'any'

export interface AfPacketRequest {
  readonly interfaceId: number
  readonly info: InterfaceInfo
  /** Interface name within its namespace, or ANY. */
  readonly device: string
  /** Path of the network namespace; null: our own. */
  readonly netns: string | null
  /** BPF expression, ANDed to the built-in filter; empty: none. */
  readonly filter: string
  readonly exclude: readonly Exclusion[]
  /** Bytes kept of a frame. */
  readonly snapLength: number
  /** Size of the kernel ring. */
  readonly ringBytes: number
  readonly promiscuous: boolean
}

/**
 * Opens one socket with its ring and filter. It receives nothing before `beginAfPacket`.
 *
 * @returns what a capture worker needs; `closeAfPacket` gives it back
 * @throws InterceptorError: privilege (CAP_NET_RAW, CAP_SYS_ADMIN for another namespace), usage (no such interface, bad
 *   expression), runtime (no memory for the ring, no AF_PACKET here)
 */
export function openAfPacket(request: AfPacketRequest): AfPacketSocket {
  if (request.netns === null) return openHere(request)
  try {
    return withNetns(request.netns, () => openHere(request))
  } catch (error) {
    if (!hasCode(error, 'EPERM')) throw error
    throw privilegeError(`entering the network namespace ${request.netns} needs CAP_SYS_ADMIN`, {
      hint: 'run as root, or give the container the capability SYS_ADMIN',
      cause: error,
    })
  }
}

/**
 * Binds the socket to its interface: frames gather in its ring from here on. From whatever network namespace: a socket
 * stays in its own.
 *
 * @throws InterceptorError (usage) when the interface has gone since, SystemError when it cannot be bound
 */
export function beginAfPacket({ fd, device, promiscuous }: AfPacketSocket): void {
  bindToInterface(fd, device === ANY ? null : requireInterface(fd, device), promiscuous)
}

/** Unmaps and closes. Only when no worker holds the ring any more: reading it afterwards ends the process. */
export function closeAfPacket(opened: AfPacketSocket): void {
  unmap(opened.address, opened.blockBytes * opened.blockCount)
  close(opened.fd)
}

/**
 * Tries whether AF_PACKET sockets can be opened here at all.
 *
 * @throws InterceptorError: privilege or runtime, as `openAfPacket`
 */
export const probeAfPacket = (): void => close(openSocket(SOCK_RAW))

function openHere(request: AfPacketRequest): AfPacketSocket {
  // The kind of socket depends on the interface, and asking for the interface takes a socket: one is opened to ask.
  const cooked = request.device === ANY || linkTypeOf(hardwareTypeOf(request.device)) === LINKTYPE_RAW
  const fd = openSocket(cooked ? SOCK_DGRAM : SOCK_RAW)
  try {
    return setUp(fd, cooked, request)
  } catch (error) {
    close(fd)
    throw error
  }
}

function hardwareTypeOf(device: string): number {
  const fd = openSocket(SOCK_DGRAM)
  try {
    return requireInterface(fd, device).hardwareType
  } finally {
    close(fd)
  }
}

/** A packet socket of no protocol: it receives nothing before it is bound, so nothing passes unfiltered. */
function openSocket(type: number): number {
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
  throw usageError(`there is no network interface ${device}`, {
    hint: `there are: ${[...interfaceNames(), ANY].join(', ')}`,
  })
}

function setUp(fd: number, cooked: boolean, request: AfPacketRequest): AfPacketSocket {
  const link = request.device === ANY ? null : requireInterface(fd, request.device)
  const program = buildFilter({
    view: cooked ? 'cooked' : 'ethernet',
    outgoing: outgoingRule(fd, link),
    exclude: request.exclude,
    expression: request.filter === '' ? null : compileFilter(request.filter, cooked, request.snapLength),
    snapLength: request.snapLength,
  })
  attachFilter(fd, program)
  const ring = mapRing(fd, request)
  return {
    interfaceId: request.interfaceId,
    info: request.info,
    device: request.device,
    interfaceIndex: link?.index ?? 0,
    promiscuous: request.promiscuous,
    fd,
    ...ring,
    linkType: cooked ? LINKTYPE_RAW : LINKTYPE_ETHERNET,
  }
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

function mapRing(fd: number, request: AfPacketRequest): { address: bigint; blockBytes: number; blockCount: number } {
  const { blockBytes, blockCount } = ringShape(request.ringBytes, request.snapLength)
  try {
    setsockoptInt(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V3, 'PACKET_VERSION')
    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, encodeTpacketReq3(blockBytes, blockCount, RETIRE_MS), 'PACKET_RX_RING')
    return { address: mapShared(fd, blockBytes * blockCount), blockBytes, blockCount }
  } catch (error) {
    throw runtimeError(
      `the kernel gives no ring of ${blockCount} blocks of ${blockBytes} bytes for ${request.device}: ${(error as Error).message}`,
      { hint: 'make capture.ringBytes smaller', cause: error },
    )
  }
}
