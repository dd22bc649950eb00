/**
 * Network interfaces of the calling thread's network namespace, or of a socket's, through netdevice(7). A mounted sysfs
 * cannot be used, because it keeps showing the namespace in which it was mounted.
 */
import { readFileSync } from 'node:fs'
import { close, ioctl, socket } from './libc.ts'
import { AF_INET, SOCK_CLOEXEC, SOCK_DGRAM } from './packet.ts'
import { hasCode } from './system-error.ts'

const SIOCGIFNAME = 0x8910
const SIOCGIFFLAGS = 0x8913
const SIOCGIFHWADDR = 0x8927
const SIOCGIFINDEX = 0x8933
const IFF_UP = 0x1
const IFF_LOOPBACK = 0x8
const IFREQ_BYTES = 40
const IFNAMSIZ = 16

/** A network interface. */
export interface NetworkInterface {
  readonly name: string
  /** Changes when the interface is deleted and created again. */
  readonly index: number
  /** ARPHRD_ value, which determines the header of its frames. */
  readonly hardwareType: number
  readonly up: boolean
  readonly loopback: boolean
}

/**
 * Looks up an interface in the network namespace of a socket, from any thread.
 *
 * @param fd any socket
 * @returns null when there is none of this name
 */
export function findInterface(fd: number, name: string): NetworkInterface | null {
  if (Buffer.byteLength(name) >= IFNAMSIZ) return null
  try {
    const flags = query(fd, SIOCGIFFLAGS, name, 'SIOCGIFFLAGS').getUint16(IFNAMSIZ, true)
    return {
      name,
      index: query(fd, SIOCGIFINDEX, name, 'SIOCGIFINDEX').getInt32(IFNAMSIZ, true),
      hardwareType: query(fd, SIOCGIFHWADDR, name, 'SIOCGIFHWADDR').getUint16(IFNAMSIZ, true),
      up: (flags & IFF_UP) !== 0,
      loopback: (flags & IFF_LOOPBACK) !== 0,
    }
  } catch (error) {
    if (hasCode(error, 'ENODEV')) return null
    throw error
  }
}

/** As `findInterface`, by index, whichever name the interface has now. @returns null when there is none of this index */
export function interfaceAt(fd: number, index: number): NetworkInterface | null {
  const ifreq = Buffer.alloc(IFREQ_BYTES)
  ifreq.writeInt32LE(index, IFNAMSIZ)
  try {
    ioctl(fd, SIOCGIFNAME, ifreq, 'SIOCGIFNAME')
  } catch (error) {
    if (hasCode(error, 'ENODEV')) return null
    throw error
  }
  return findInterface(fd, ifreq.toString('utf8', 0, ifreq.indexOf(0)))
}

function query(fd: number, request: number, name: string, what: string): DataView {
  const ifreq = Buffer.alloc(IFREQ_BYTES)
  ifreq.write(name)
  ioctl(fd, request, ifreq, what)
  return new DataView(ifreq.buffer, ifreq.byteOffset, IFREQ_BYTES)
}

/** Names of all interfaces of the calling thread's namespace, in the kernel's order. */
export function interfaceNames(): string[] {
  const table = readFileSync('/proc/thread-self/net/dev', 'latin1').split('\n').slice(2)
  return table.map((line) => line.slice(0, line.lastIndexOf(':')).trim()).filter((name) => name !== '')
}

/** All interfaces of the calling thread's namespace, except those that are deleted during the call. */
export function listInterfaces(): NetworkInterface[] {
  const fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  try {
    return interfaceNames().flatMap((name) => findInterface(fd, name) ?? [])
  } finally {
    close(fd)
  }
}
