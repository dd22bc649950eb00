/** Packets in every tunnel that can be read, encoded by hand. */
import { ethernet, packet, tcp } from '../../support/frames.ts'
import { concat } from '../support.ts'

export const OUTER = { source: [192, 168, 0, 1], destination: [192, 168, 0, 2] }
export const OUTER6 = { source: new Array<number>(16).fill(3), destination: new Array<number>(16).fill(4) }
/** What is inside: a TCP segment over IPv4, and over IPv6. */
export const INNER = packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(1, 80) })
const INNER6 = packet({ ...OUTER6, protocol: 6, payload: tcp(1, 80) })

/** Joins byte lists. */
export const bytes = (...parts: ArrayLike<number>[]): Uint8Array => concat(parts.map((part) => Uint8Array.from(part)))

/** A UDP header and its payload. */
export function udp(destination: number, payload: Uint8Array, source = 50000): Uint8Array {
  const length = 8 + payload.length
  const ports = [source >> 8, source & 255, destination >> 8, destination & 255]
  return bytes(ports, [length >> 8, length & 255, 0, 0], payload)
}

/** VXLAN with an Ethernet frame inside. */
export const vxlan = (inner: Uint8Array, vni = 1): Uint8Array =>
  bytes([8, 0, 0, 0, vni >> 16, (vni >> 8) & 255, vni & 255, 0], frame(inner))

const frame = (inner: Uint8Array, tags: number[] = []): Uint8Array => ethernet({ tags, payload: inner })
const isV6 = (inner: Uint8Array): boolean => inner[0] >> 4 === 6
const etherType = (inner: Uint8Array): number[] => (isV6(inner) ? [0x86, 0xdd] : [8, 0])
const pppProtocol = (inner: Uint8Array): number[] => [0, isV6(inner) ? 0x57 : 0x21]
const sevens = (count: number): number[] => new Array<number>(count).fill(7)
const zeros = (count: number): number[] => new Array<number>(count).fill(0)

/** What the outer packet carries, and how it wraps an inner packet of either version. */
export interface Tunnel {
  name: string
  protocol: (inner: Uint8Array) => number
  wrap: (inner: Uint8Array) => Uint8Array
}

const over =
  (protocol: number) =>
  (name: string, wrap: Tunnel['wrap']): Tunnel => ({ name, protocol: () => protocol, wrap })
const gre = over(47)
const inUdp = over(17)

export const TUNNELS: Tunnel[] = [
  { name: 'IP in IP', protocol: (inner) => (isV6(inner) ? 41 : 4), wrap: (inner) => inner },
  gre('GRE', (inner) => bytes([0, 0], etherType(inner), inner)),
  gre('GRE with checksum, key and sequence', (inner) => bytes([0xb0, 0], etherType(inner), sevens(12), inner)),
  gre('GRE with Ethernet', (inner) => bytes([0, 0, 0x65, 0x58], frame(inner))),
  gre('PPTP', (inner) => bytes([0x30, 0x81, 0x88, 0x0b], zeros(12), [0xff, 3], pppProtocol(inner), inner)),
  gre('ERSPAN type I', (inner) => bytes([0, 0, 0x88, 0xbe], frame(inner))),
  gre('ERSPAN type II', (inner) => bytes([0x10, 0, 0x88, 0xbe], sevens(12), frame(inner))),
  gre('ERSPAN type III with its subheader', (inner) =>
    bytes([0x10, 0, 0x22, 0xeb], sevens(15), [1], sevens(8), frame(inner)),
  ),
  gre('MPLS in GRE', (inner) => bytes([0, 0, 0x88, 0x47], [0, 1, 1, 64], inner)),
  over(97)('Ethernet in IP', (inner) => bytes([0x30, 0], frame(inner))),
  inUdp('VXLAN', (inner) => udp(4789, vxlan(inner))),
  inUdp('VXLAN by its Linux port, tagged', (inner) => udp(8472, bytes(zeros(8), frame(inner, [0x8100])))),
  inUdp('VXLAN-GPE', (inner) => udp(4790, bytes([0x0c, 0, 0, isV6(inner) ? 2 : 1, 0, 0, 1, 0], inner))),
  inUdp('VXLAN-GPE with Ethernet', (inner) => udp(4790, bytes([0x0c, 0, 0, 3, 0, 0, 1, 0], frame(inner)))),
  inUdp('Geneve', (inner) => udp(6081, bytes([0, 0], etherType(inner), [0, 0, 1, 0], inner))),
  inUdp('Geneve with options and Ethernet', (inner) =>
    udp(6081, bytes([2, 0, 0x65, 0x58, 0, 0, 1, 0], new Array<number>(8).fill(1), frame(inner))),
  ),
  inUdp('GRE in UDP', (inner) => udp(4754, bytes([0x20, 0, 0x65, 0x58, 0, 0, 0, 9], frame(inner)))),
  inUdp('MPLS in UDP', (inner) => udp(6635, bytes([0, 1, 1, 64], inner))),
  inUdp('GUE', (inner) => udp(6080, bytes([1, isV6(inner) ? 41 : 4, 0, 0, 7, 7, 7, 7], inner))),
  inUdp('GUE, the packet itself', (inner) => udp(6080, inner)),
  inUdp('GUE with GRE', (inner) => udp(6080, bytes([0, 47, 0, 0], [0, 0], etherType(inner), inner))),
  inUdp('GTP', (inner) => udp(2152, bytes([0x30, 255, 0, 40, 0, 0, 0, 1], inner))),
  inUdp('GTP with sequence and an extension header', (inner) =>
    udp(2152, bytes([0x36, 255, 0, 40, 0, 0, 0, 1], [0, 1, 0, 0x85, 1, 0, 0, 0], inner)),
  ),
  inUdp('Teredo', (inner) => udp(3544, inner)),
  inUdp('Teredo, from the relay', (inner) => udp(50000, inner, 3544)),
  inUdp('L2TP', (inner) => udp(1701, bytes([0, 2, 0, 7, 0, 9], [0xff, 3], pppProtocol(inner), inner))),
  inUdp('L2TP, from its port', (inner) =>
    udp(50000, bytes([0, 2, 0, 7, 0, 9], [0xff, 3], pppProtocol(inner), inner), 1701),
  ),
  inUdp('L2TP with length, sequence and padding', (inner) =>
    udp(1701, bytes([0x4a, 2, 0, 80, 0, 7, 0, 9], [0, 1, 0, 0], [0, 3, 0, 0, 0], [0xff, 3], pppProtocol(inner), inner)),
  ),
  inUdp('IP in IP in VXLAN', (inner) =>
    udp(4789, vxlan(packet({ ...OUTER, protocol: isV6(inner) ? 41 : 4, payload: inner }))),
  ),
]

/** Every tunnel with each inner packet. */
export const WRAPPED: [name: string, protocol: number, payload: Uint8Array, inner: Uint8Array][] = TUNNELS.flatMap(
  ({ name, protocol, wrap }) =>
    [INNER, INNER6].map((inner): (typeof WRAPPED)[number] => [
      `${name} with IPv${isV6(inner) ? 6 : 4}`,
      protocol(inner),
      wrap(inner),
      inner,
    ]),
)
