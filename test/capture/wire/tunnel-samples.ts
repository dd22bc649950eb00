/** Packets of every tunnel that can be read, encoded by hand. */
import { ethernet, packet, tcp } from '../../support/frames.ts'
import { concat } from '../support.ts'

export const OUTER = { source: [192, 168, 0, 1], destination: [192, 168, 0, 2] }
export const OUTER6 = { source: new Array<number>(16).fill(3), destination: new Array<number>(16).fill(4) }
/** What is inside: a TCP segment over IPv4, and over IPv6. */
export const INNER = packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(1, 80) })
export const INNER6 = packet({ ...OUTER6, protocol: 6, payload: tcp(1, 80) })

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
  bytes([8, 0, 0, 0, vni >> 16, (vni >> 8) & 255, vni & 255, 0], ethernet({ payload: inner }))

/** Outer protocol, and what it carries in front of and with the inner packet. */
export const TUNNELS: [name: string, protocol: number, payload: Uint8Array][] = [
  ['IP in IP', 4, INNER],
  ['IPv6 in IP', 41, INNER6],
  ['GRE', 47, bytes([0, 0, 8, 0], INNER)],
  ['GRE with checksum, key and sequence', 47, bytes([0xb0, 0, 0x86, 0xdd], new Array<number>(12).fill(7), INNER6)],
  ['GRE with Ethernet', 47, bytes([0, 0, 0x65, 0x58], ethernet({ payload: INNER }))],
  ['PPTP', 47, bytes([0x30, 0x81, 0x88, 0x0b], new Array<number>(12).fill(0), [0xff, 3, 0, 0x21], INNER)],
  ['VXLAN', 17, udp(4789, vxlan(INNER))],
  [
    'VXLAN by its Linux port, tagged',
    17,
    udp(8472, bytes(new Array<number>(8).fill(0), ethernet({ tags: [0x8100], payload: INNER6 }))),
  ],
  [
    'Geneve with options',
    17,
    udp(6081, bytes([2, 0, 0x65, 0x58, 0, 0, 1, 0], new Array<number>(8).fill(1), ethernet({ payload: INNER }))),
  ],
  ['GTP', 17, udp(2152, bytes([0x30, 255, 0, 40, 0, 0, 0, 1], INNER))],
  [
    'GTP with sequence and an extension header',
    17,
    udp(2152, bytes([0x36, 255, 0, 40, 0, 0, 0, 1], [0, 1, 0, 0x85, 1, 0, 0, 0], INNER)),
  ],
  ['Teredo', 17, udp(3544, INNER6)],
  ['Teredo, from the relay', 17, udp(50000, INNER6, 3544)],
  ['L2TP', 17, udp(1701, bytes([0, 2, 0, 7, 0, 9], [0xff, 3, 0, 0x21], INNER))],
  [
    'L2TP with length, sequence and padding',
    17,
    udp(1701, bytes([0x4a, 2, 0, 80, 0, 7, 0, 9], [0, 1, 0, 0], [0, 3, 0, 0, 0], [0xff, 3, 0, 0x57], INNER6)),
  ],
  ['ERSPAN type I', 47, bytes([0, 0, 0x88, 0xbe], ethernet({ payload: INNER }))],
  ['ERSPAN type II', 47, bytes([0x10, 0, 0x88, 0xbe], new Array<number>(12).fill(7), ethernet({ payload: INNER }))],
  [
    'ERSPAN type III with its subheader',
    47,
    bytes(
      [0x10, 0, 0x22, 0xeb],
      new Array<number>(15).fill(7),
      [1],
      new Array<number>(8).fill(7),
      ethernet({ payload: INNER }),
    ),
  ],
  ['MPLS in GRE', 47, bytes([0, 0, 0x88, 0x47], [0, 1, 1, 64], INNER)],
  ['Ethernet in IP', 97, bytes([0x30, 0], ethernet({ payload: INNER6 }))],
  ['IP in IP in VXLAN', 17, udp(4789, vxlan(packet({ ...OUTER, protocol: 4, payload: INNER })))],
  ['GRE in UDP', 17, udp(4754, bytes([0x20, 0, 0x65, 0x58, 0, 0, 0, 9], ethernet({ payload: INNER })))],
  ['MPLS in UDP', 17, udp(6635, bytes([0, 1, 1, 64], INNER6))],
  ['VXLAN-GPE with IPv4', 17, udp(4790, bytes([0x0c, 0, 0, 1, 0, 0, 1, 0], INNER))],
  ['VXLAN-GPE with IPv6', 17, udp(4790, bytes([0x0c, 0, 0, 2, 0, 0, 1, 0], INNER6))],
  ['VXLAN-GPE with Ethernet', 17, udp(4790, bytes([0x0c, 0, 0, 3, 0, 0, 1, 0], ethernet({ payload: INNER })))],
  ['GUE with IPv4', 17, udp(6080, bytes([1, 4, 0, 0, 7, 7, 7, 7], INNER))],
  ['GUE, the packet itself', 17, udp(6080, INNER)],
  ['GUE with GRE', 17, udp(6080, bytes([0, 47, 0, 0], [0, 0, 0x86, 0xdd], INNER6))],
]
