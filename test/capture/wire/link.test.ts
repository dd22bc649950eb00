import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CUT_LINK, findIp, NOT_IP, UNKNOWN_LINK } from '../../../src/capture/wire/link.ts'
import { NetworkId } from '../../../src/capture/wire/network-id.ts'
import { concat } from '../support.ts'

const MACS = new Array<number>(12).fill(2)
/** Enough of an IPv4 header to be told from other things. */
const IP = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6]
const zeros = (count: number): number[] => new Array<number>(count).fill(0)

/** Link-layer headers; the IP header follows each. */
const CARRYING: [name: string, linkType: number, header: number[]][] = [
  ['Ethernet, IPv4', 1, [...MACS, 8, 0]],
  ['Ethernet, IPv6', 1, [...MACS, 0x86, 0xdd]],
  ['802.1Q', 1, [...MACS, 0x81, 0, 0, 7, 8, 0]],
  ['802.1ad over 802.1Q', 1, [...MACS, 0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0]],
  ['QinQ by 0x9100', 1, [...MACS, 0x91, 0, 0, 7, 0x81, 0, 0, 8, 0x86, 0xdd]],
  ['three tags', 1, [...MACS, 0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 8, 0]],
  ['MPLS, two labels', 1, [...MACS, 0x88, 0x47, 0, 1, 0x20, 64, 0, 1, 0x31, 64]],
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

  test(`findIp: ${name}, cut anywhere in its header, is never taken for more than is there`, () => {
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
  ['MPLS pseudowire', 1, [...MACS, 0x88, 0x47, 0, 1, 0x31, 64, ...zeros(40)], NOT_IP],
  ['MPLS without a bottom', 1, [...MACS, 0x88, 0x47, ...zeros(200)], NOT_IP],
  ['VLAN tags without end', 1, [...MACS, ...Array.from({ length: 50 }, () => [0x81, 0, 0, 1]).flat()], NOT_IP],
  ['PPP, link control', 9, [0xff, 3, 0xc0, 0x21, ...zeros(20)], NOT_IP],
  ['null, unknown family', 0, [7, 0, 0, 0, ...IP], NOT_IP],
  ['an unknown link type', 105, [8, 0, ...zeros(60)], UNKNOWN_LINK],
]

for (const [name, linkType, bytes, expected] of OTHERS) {
  test(`findIp: ${name} is no IP`, () => {
    const view = new DataView(Uint8Array.from(bytes).buffer)
    assert.equal(findIp(view, 0, bytes.length, linkType, new NetworkId()), expected)
  })
}
