/**
 * Writes TCP segments as Ethernet frames with IPv4 or IPv6. Checksums are 0, because nothing verifies them, as with
 * offloading.
 */
import type { Segment } from './tcp-script.ts'

export interface Endpoint {
  /** IPv4 dotted, or IPv6 in any notation without a zone. */
  address: string
  port: number
}

export interface Link {
  client?: Endpoint
  server?: Endpoint
  interfaceId?: number
  /** 802.1Q tag identifiers, outermost first. */
  vlans?: number[]
}

export interface Frame {
  bytes: Uint8Array
  micros: number
  interfaceId: number
}

export const CLIENT: Endpoint = { address: '10.0.0.5', port: 51234 }
export const SERVER: Endpoint = { address: '10.0.0.9', port: 8080 }

const ETHERNET_BYTES = 14
const TCP_BYTES = 20

/** @param from, to addresses of one version */
export function layFrame(segment: Segment, link: Link = {}): Frame {
  const { client = CLIENT, server = SERVER, vlans = [], interfaceId = 0 } = link
  const [from, to] = segment.fromClient ? [client, server] : [server, client]
  const source = addressBytes(from.address)
  const ipBytes = source.length === 4 ? 20 : 40
  const ip = ETHERNET_BYTES + vlans.length * 4
  const tcpBytes = TCP_BYTES + (segment.options?.length ?? 0)
  const frame = Buffer.alloc(ip + ipBytes + tcpBytes + segment.payload.length)
  frame.writeUInt16BE(0x0202, 0)
  for (const [i, id] of vlans.entries()) frame.writeUInt32BE(0x8100_0000 + id, 12 + i * 4)
  frame.writeUInt16BE(ipBytes === 20 ? 0x0800 : 0x86dd, ip - 2)
  layIp(frame, ip, source, addressBytes(to.address), tcpBytes + segment.payload.length + (segment.cut ?? 0))
  layTcp(frame, ip + ipBytes, from.port, to.port, segment)
  return { bytes: frame, micros: segment.micros, interfaceId }
}

export const encodeFrames = (segments: readonly Segment[], link: Link = {}): Frame[] =>
  segments.map((segment) => layFrame(segment, link))

function layIp(frame: Buffer, at: number, source: Uint8Array, target: Uint8Array, payload: number): void {
  if (source.length === 4) {
    frame.writeUInt16BE(0x4500, at)
    frame.writeUInt16BE(20 + payload, at + 2)
    frame.writeUInt16BE(0x4006, at + 8)
    frame.set(source, at + 12)
    frame.set(target, at + 16)
    return
  }
  frame.writeUInt8(0x60, at)
  frame.writeUInt16BE(payload, at + 4)
  frame.writeUInt16BE(0x0640, at + 6)
  frame.set(source, at + 8)
  frame.set(target, at + 24)
}

function layTcp(frame: Buffer, at: number, sourcePort: number, targetPort: number, segment: Segment): void {
  frame.writeUInt16BE(sourcePort, at)
  frame.writeUInt16BE(targetPort, at + 2)
  frame.writeUInt32BE(segment.seq >>> 0, at + 4)
  frame.writeUInt32BE(segment.ack >>> 0, at + 8)
  const { options = new Uint8Array(0) } = segment
  frame.writeUInt8((TCP_BYTES + options.length) << 2, at + 12)
  frame.writeUInt8(segment.flags, at + 13)
  frame.writeUInt16BE(0xffff, at + 14)
  frame.writeUInt16BE(segment.urgent ?? 0, at + 18)
  frame.set(options, at + TCP_BYTES)
  frame.set(segment.payload, at + TCP_BYTES + options.length)
}

const knownAddresses = new Map<string, Uint8Array>()

/** The 4 or 16 bytes of an address, cached because most tests use the same two addresses. */
function addressBytes(address: string): Uint8Array {
  const bytes = knownAddresses.get(address) ?? parseAddress(address)
  knownAddresses.set(address, bytes)
  return bytes
}

function parseAddress(address: string): Uint8Array {
  if (!address.includes(':')) return Uint8Array.from(address.split('.').map(Number))
  const mixed = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  if (mixed !== null) {
    const [a, b, c, d] = mixed.slice(2).map(Number) as [number, number, number, number]
    return parseAddress(`${mixed[1]}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`)
  }
  const [head = '', tail] = address.split('::')
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
  const first = groups(head)
  const last = groups(tail ?? '')
  const middle = new Array<number>(8 - first.length - last.length).fill(0)
  return Uint8Array.from([...first, ...middle, ...last].flatMap((group) => [group >> 8, group & 255]))
}

/** A capture file (LINKTYPE_ETHERNET, microseconds) of frames. */
export function pcapOf(frames: readonly Frame[]): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4)
  header.writeUInt32LE(0x00040002, 4)
  header.writeUInt32LE(262_144, 16)
  header.writeUInt32LE(1, 20)
  const records = frames.flatMap(({ bytes, micros }) => {
    const record = Buffer.alloc(16)
    record.writeUInt32LE(Math.floor(micros / 1e6))
    record.writeUInt32LE(micros % 1e6, 4)
    record.writeUInt32LE(bytes.length, 8)
    record.writeUInt32LE(bytes.length, 12)
    return [record, bytes]
  })
  return Buffer.concat([header, ...records])
}
