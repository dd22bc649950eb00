import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CUT_LINK, NOT_IP } from '../../../src/capture/wire/ether-type.ts'
import { findIp, isReadable, UNKNOWN_LINK } from '../../../src/capture/wire/link.ts'
import { describeLinkType, dltOf } from '../../../src/capture/wire/link-types.ts'
import { NetworkId } from '../../../src/capture/wire/network-id.ts'
import { concat } from '../support.ts'

const MACS = new Array<number>(12).fill(2)
/** Enough of an IPv4 header to be recognised. */
const IP = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6]
const zeros = (count: number): number[] => new Array<number>(count).fill(0)

/** A PKTAP header of so many bytes, before a frame of this DLT. */
const pktap = (length: number, dlt: number): number[] => [
  length,
  0,
  0,
  0,
  1,
  0,
  0,
  0,
  dlt,
  0,
  0,
  0,
  ...zeros(length - 12),
]

/** Link-layer headers; the IP header follows each. */
const CARRYING: [name: string, linkType: number, header: number[]][] = [
  ['Ethernet, IPv4', 1, [...MACS, 8, 0]],
  ['Ethernet, IPv6', 1, [...MACS, 0x86, 0xdd]],
  ['802.1Q', 1, [...MACS, 0x81, 0, 0, 7, 8, 0]],
  ['802.1ad over 802.1Q', 1, [...MACS, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0]],
  ['QinQ by 0x9100', 1, [...MACS, 0x91, 0, 0, 7, 0x81, 0, 0, 8, 0x86, 0xdd]],
  ['three tags', 1, [...MACS, 0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0]],
  ['MPLS, two labels', 1, [...MACS, 0x88, 0x47, 0, 1, 0x20, 64, 0, 1, 0x31, 64]],
  ['MPLS pseudowire with a control word', 1, [...MACS, 0x88, 0x47, 0, 1, 0x31, 64, 0, 0, 0, 9, ...MACS, 8, 0]],
  [
    'MPLS pseudowire with a control word and a VLAN',
    1,
    [...MACS, 0x88, 0x47, 0, 1, 0x31, 64, 0, 0, 0, 9, ...MACS, 0x81, 0, 0, 7, 8, 0],
  ],
  [
    'MPLS pseudowire without a control word',
    1,
    [...MACS, 0x88, 0x47, 0, 1, 0x31, 64, 0, 0x50, 0x56, ...MACS.slice(3), 8, 0],
  ],
  ['VN-Tag, 802.1Q', 1, [...MACS, 0x89, 0x26, 0x80, 1, 0, 2, 0x81, 0, 0, 7, 8, 0]],
  ['802.1ah in 802.1ad', 1, [...MACS, 0x88, 0xa8, 0, 7, 0x88, 0xe7, 0, 0, 0, 9, ...MACS, 8, 0]],
  ['FabricPath', 1, [...MACS, 0x89, 3, 0, 0x20, ...MACS, 0x81, 0, 0, 7, 8, 0]],
  ['PPPoE session', 1, [...MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x21]],
  ['VLAN, PPPoE session, IPv6', 1, [...MACS, 0x81, 0, 0, 5, 0x88, 0x64, 0x11, 0, 0, 1, 0, 42, 0, 0x57]],
  ['802.3 with SNAP', 1, [...MACS, 0, 48, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]],
  ['Linux cooked v1', 113, [0, 0, 0, 1, 0, 6, ...zeros(8), 8, 0]],
  ['Linux cooked v1, VLAN', 113, [0, 0, 0, 1, 0, 6, ...zeros(8), 0x81, 0, 0, 7, 0x86, 0xdd]],
  ['Linux cooked v2', 276, [8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, ...zeros(8)]],
  ['raw IP', 101, []],
  ['raw IP as BSD/OS wrote it', 12, []],
  ['raw IP as OpenBSD wrote it', 14, []],
  ['raw IPv4', 228, []],
  ['raw IPv6', 229, []],
  ['null, AF_INET, little-endian', 0, [2, 0, 0, 0]],
  ['null, AF_INET, big-endian', 0, [0, 0, 0, 2]],
  ['null, AF_INET6 of macOS', 0, [30, 0, 0, 0]],
  ['null, AF_INET6 of FreeBSD', 0, [28, 0, 0, 0]],
  ['loop, AF_INET6 of OpenBSD', 108, [0, 0, 0, 24]],
  ['loop, AF_INET', 108, [0, 0, 0, 2]],
  ['PPP with HDLC bytes', 9, [0xff, 3, 0, 0x21]],
  ['PPP without them', 9, [0, 0x57]],
  ['PPP, compressed protocol', 9, [0x21]],
  ['PPP over Ethernet', 51, [0x11, 0, 0, 1, 0, 42, 0, 0x21]],
  ['PPP in HDLC', 50, [0xff, 3, 0, 0x21]],
  ['Cisco HDLC marked as PPP in HDLC', 50, [0x0f, 0, 0x86, 0xdd]],
  ['Cisco HDLC marked as PPP', 9, [0x8f, 0, 8, 0]],
  ['NFLOG, little-endian', 239, [2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 0, 0, 5, 0, 10, 0, 0, 0, 0, 0, 14, 0, 9, 0]],
  ['NFLOG, big-endian', 239, [2, 0, 0, 0, 0, 8, 0, 1, 8, 0, 0, 0, 0, 14, 0, 9]],
  ['Cisco HDLC', 104, [0x0f, 0, 8, 0]],
  ['PPP of pppd, outgoing', 166, [1, 3, 0, 0x21]],
  ['PPP with direction', 204, [1, 0xff, 3, 0, 0x57]],
  ['Cisco HDLC with direction', 205, [0, 0x0f, 0, 8, 0]],
  ['Frame Relay, IPv4', 107, [0x18, 0x41, 3, 0xcc]],
  ['Frame Relay, IPv6, an address of four bytes', 107, [0x18, 0x40, 0x40, 0x41, 3, 0x8e]],
  ['Frame Relay, SNAP behind padding', 107, [0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0]],
  ['Frame Relay as Cisco writes it', 107, [0x18, 0x41, 8, 0]],
  ['Frame Relay with direction', 206, [1, 0x18, 0x41, 3, 0xcc]],
  ['PFLOG of OpenBSD', 117, [100, 2, ...zeros(98)]],
  ['PFLOG whose header length is not a multiple of 4', 117, [61, 2, ...zeros(62)]],
  ['PKTAP with Ethernet', 258, [...pktap(108, 1), ...MACS, 8, 0]],
  ['PKTAP with raw IP', 258, pktap(156, 12)],
  ['PKTAP with loopback', 258, [...pktap(108, 0), 2, 0, 0, 0]],
  ['PKTAP with a VLAN', 258, [...pktap(108, 1), ...MACS, 0x81, 0, 0, 7, 8, 0]],
  ['IPsec of OpenBSD', 109, [2, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1]],
  ['SLIP', 8, zeros(16)],
  ['FDDI', 10, [0x50, ...MACS, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]],
  ['Token Ring', 6, [0x10, 0x40, ...MACS, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]],
  [
    'Token Ring with a route',
    6,
    [0x10, 0x40, ...zeros(6), 0x80, ...zeros(5), 6, 0, 1, 2, 3, 4, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
  ],
  ['ATM with LLC', 100, [0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd]],
  ['IP over Fibre Channel', 122, [...zeros(16), 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]],
  ['IP over FireWire', 138, [...zeros(16), 8, 0]],
  ['ERF, Ethernet', 197, [...zeros(8), 2, 4, ...zeros(6), 0, 0, ...MACS, 8, 0]],
  [
    'ERF, Ethernet behind two extension headers',
    197,
    [...zeros(8), 0x82, ...zeros(7), 0x80, ...zeros(15), 0, 0, ...MACS, 8, 0],
  ],
  ['ERF, IPv4', 197, [...zeros(8), 22, ...zeros(7)]],
  ['MPLS', 219, [0, 1, 0x20, 64, 0, 1, 0x31, 64]],
  ['IPNET of Solaris', 226, [1, 2, ...zeros(22)]],
  ['netANALYZER', 240, [...zeros(4), ...MACS, 8, 0]],
  ['netANALYZER with the preamble', 241, [...zeros(4), ...new Array<number>(7).fill(0x55), 0xd5, ...MACS, 8, 0]],
  ['IP over InfiniBand', 242, [8, 0, 0, 0]],
  ['EPON', 259, [...zeros(8), ...MACS, 8, 0]],
  ['mPacket', 274, [...new Array<number>(7).fill(0x55), 0xd5, ...MACS, 8, 0]],
  ['switch tag of Broadcom', 281, [...MACS, 1, 2, 3, 4, 8, 0]],
  ['switch tag of Broadcom in front', 282, [1, 2, 3, 4, ...MACS, 8, 0]],
  ['switch tag of Marvell', 284, [...MACS, 1, 2, 3, 4, 0x81, 0, 0, 7, 8, 0]],
  ['switch tag of Marvell with an EtherType', 285, [...MACS, 0xda, 0xda, 0, 0, 1, 2, 3, 4, 8, 0]],
]

for (const [name, linkType, header] of CARRYING) {
  test(`findIp: ${name}`, () => {
    for (const start of [0, 3]) {
      const bytes = concat([new Uint8Array(start), Uint8Array.from([...header, ...IP])])
      assert.equal(
        findIp(new DataView(bytes.buffer), start, bytes.length, linkType, new NetworkId()),
        start + header.length,
      )
    }
  })

  test(`findIp: ${name}, truncated anywhere in its header, is never read past its end`, () => {
    const bytes = Uint8Array.from([...header, ...IP])
    for (let end = 0; end < header.length; end++) {
      const found = findIp(new DataView(bytes.buffer, 0, end), 0, end, linkType, new NetworkId())
      assert.ok(found === CUT_LINK || found === NOT_IP, `cut to ${end}: ${found}`)
    }
  })
}

const OTHERS: [name: string, linkType: number, bytes: number[], expected: number][] = [
  ['ARP', 1, [...MACS, 8, 6, ...zeros(28)], NOT_IP],
  ['LLC without SNAP', 1, [...MACS, 0, 38, 0x42, 0x42, 3, ...zeros(35)], NOT_IP],
  ['SNAP of an organisation', 1, [...MACS, 0, 48, 0xaa, 0xaa, 3, 0, 0, 12, 8, 0, ...zeros(40)], NOT_IP],
  [
    'MPLS pseudowire with ARP',
    1,
    [...MACS, 0x88, 0x47, 0, 1, 0x31, 64, ...zeros(4), ...MACS, 8, 6, ...zeros(40)],
    NOT_IP,
  ],
  ['MPLS pseudowire of something else', 1, [...MACS, 0x88, 0x47, 0, 1, 0x31, 64, ...zeros(40)], NOT_IP],
  ['MPLS without a bottom', 1, [...MACS, 0x88, 0x47, ...zeros(200)], NOT_IP],
  ['VLAN tags without end', 1, [...MACS, ...Array.from({ length: 50 }, () => [0x81, 0, 0, 1]).flat()], NOT_IP],
  ['PPP, link control', 9, [0xff, 3, 0xc0, 0x21, ...zeros(20)], NOT_IP],
  ['null, unknown family', 0, [7, 0, 0, 0, ...IP], NOT_IP],
  ['PKTAP in PKTAP', 258, [...[108, 0, 0, 0, 1, 0, 0, 0, 2, 1, 0, 0], ...zeros(140)], UNKNOWN_LINK],
  ['PKTAP with a shorter header than its own', 258, [4, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, ...IP], CUT_LINK],
  ['PKTAP with wireless LAN', 258, [...pktap(108, 105), ...zeros(60)], UNKNOWN_LINK],
  ['a piece of an mPacket', 274, [...new Array<number>(7).fill(0x55), 0x61, ...MACS, 8, 0, ...IP], NOT_IP],
  ['Frame Relay, link management', 107, [0, 1, 3, 8, 0, 0x75, ...zeros(20)], NOT_IP],
  ['Frame Relay without the end of an address', 107, zeros(30), NOT_IP],
  ['ERF, ATM', 197, [...zeros(8), 3, ...zeros(60)], NOT_IP],
  ['an unknown link type', 105, [8, 0, ...zeros(60)], UNKNOWN_LINK],
]

for (const [name, linkType, bytes, expected] of OTHERS) {
  test(`findIp: ${name} is not IP`, () => {
    const view = new DataView(Uint8Array.from(bytes).buffer)
    assert.equal(findIp(view, 0, bytes.length, linkType, new NetworkId()), expected)
  })
}

test('link types: adds the name to the number, if there is one', () => {
  assert.equal(describeLinkType(127), '127 (IEEE802_11_RADIOTAP)')
  assert.equal(describeLinkType(9999), '9999')
  assert.deepEqual([1, 14, 101, 276].map(dltOf), [1, 12, 12, 276])
  for (const [name, linkType] of CARRYING) {
    if (linkType === 12 || linkType === 14) continue
    assert.match(describeLinkType(linkType), /^\d+ \([A-Z0-9_]+\)$/, name)
    assert.ok(isReadable(linkType), name)
  }
})
