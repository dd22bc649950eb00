import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FRAGMENT, MALFORMED, NON_TCP, PacketDecoder, TCP } from '../../../src/capture/wire/packet-decoder.ts'
import { parseTunnels, TUNNEL_NAMES } from '../../../src/net/tunnels.ts'
import { ethernet, packet } from '../../support/frames.ts'
import { concat } from '../support.ts'
import { bytes, INNER, OUTER, OUTER6, udp, vxlan, WRAPPED } from './tunnel-samples.ts'

const ALL_TUNNELS = parseTunnels(TUNNEL_NAMES)
function decode(outer: Uint8Array, tunnels = ALL_TUNNELS): PacketDecoder & { verdict: number } {
  const decoder = new PacketDecoder(tunnels)
  const verdict = decoder.decode(new DataView(outer.buffer), 0, outer.length, outer.length, 101)
  return Object.assign(decoder, { verdict })
}

for (const [name, protocol, payload, wrapped] of WRAPPED) {
  test(`tunnels: ${name}`, () => {
    for (const addresses of [OUTER, OUTER6]) {
      const outer = packet({ ...addresses, protocol, payload })
      const { verdict, ipOffset, tcpOffset, endOffset } = decode(concat([outer, new Uint8Array(5)]))
      assert.deepEqual([verdict, endOffset], [TCP, outer.length])
      assert.deepEqual(outer.subarray(ipOffset), wrapped)
      assert.equal(tcpOffset, outer.length - 20)
    }
  })
}

const NOTHING_INSIDE: [name: string, protocol: number, payload: Uint8Array][] = [
  ['DNS', 17, udp(53, new Uint8Array(40))],
  ['a VXLAN port without VXLAN', 17, udp(4789, new Uint8Array(60).fill(0x47))],
  ['a Teredo port without Teredo', 17, udp(3544, new Uint8Array(60))],
  ['GRE with something else', 47, bytes([0, 0, 0x88, 0xb5], INNER)],
  ['L2TP control', 17, udp(1701, bytes([0xc8, 2, 0, 80, 0, 7, 0, 9, 0, 1, 0, 0], INNER))],
  ['GTP control', 17, udp(2152, bytes([0x30, 1, 0, 0, 0, 0, 0, 1], INNER))],
  ['UDP inside', 4, packet({ ...OUTER, protocol: 17, payload: udp(53, new Uint8Array(10)) })],
  ['an inner packet that is cut', 4, INNER.subarray(0, 30)],
]

for (const [name, protocol, payload] of NOTHING_INSIDE) {
  test(`tunnels: ${name} is not TCP`, () => {
    assert.equal(decode(packet({ ...OUTER, protocol, payload })).verdict, NON_TCP)
  })
}

test('tunnels: keeps first fragments that may belong to a tunnel, and later fragments of UDP', () => {
  const cases: [protocol: number, payload: Uint8Array, offset: number, verdict: number, wanted: boolean][] = [
    [4, INNER, 0x2000, FRAGMENT, true],
    [47, bytes([0, 0, 8, 0], INNER), 0x2000, FRAGMENT, true],
    [17, udp(4789, vxlan(INNER)), 0x2000, FRAGMENT, true],
    [17, udp(53, vxlan(INNER)), 0x2000, FRAGMENT, false],
    [17, udp(53, vxlan(INNER)), 5, FRAGMENT, true],
    [1, INNER, 0x2000, NON_TCP, true],
  ]
  for (const [protocol, payload, fragmentOffset, verdict, wanted] of cases) {
    const found = decode(packet({ ...OUTER, protocol, payload, fragmentOffset }))
    assert.deepEqual([found.verdict, found.fragmentWanted], [verdict, wanted], `${protocol} ${fragmentOffset}`)
  }
})

test('tunnels: does not decode a tunnel that is not configured', () => {
  for (const [name, protocol, payload] of WRAPPED) {
    const outer = packet({ ...OUTER, protocol, payload })
    assert.equal(decode(outer, parseTunnels([])).verdict, NON_TCP, name)
    const cut = packet({ ...OUTER, protocol, payload, fragmentOffset: 0x2000 })
    assert.equal(decode(cut, parseTunnels([])).verdict, NON_TCP, `${name}, in fragments`)
  }
  const erspan = bytes([0x10, 0, 0x88, 0xbe], new Array<number>(12).fill(7), ethernet({ payload: INNER }))
  const plain = bytes([0, 0, 8, 0], INNER)
  for (const [names, payload, verdict] of [
    [['erspan'], erspan, TCP],
    [['erspan'], plain, NON_TCP],
    [['gre'], erspan, NON_TCP],
    [['gre'], plain, TCP],
  ] as const) {
    assert.equal(decode(packet({ ...OUTER, protocol: 47, payload }), parseTunnels(names)).verdict, verdict)
  }
})

test('tunnels: recognises a UDP tunnel by its configured port', () => {
  const outer = packet({ ...OUTER, protocol: 17, payload: udp(6635, vxlan(INNER)) })
  assert.equal(decode(outer, parseTunnels(['vxlan:6635'])).verdict, TCP)
  assert.equal(decode(outer, parseTunnels(['vxlan'])).verdict, NON_TCP)
})

/** Pairs of packets that lie in different virtual networks, or in the same one. */
const network = (protocol: number, payload: Uint8Array): number =>
  decode(packet({ ...OUTER, protocol, payload })).network
const greKey = (key: number) => bytes([0x20, 0, 8, 0, 0, 0, 0, key], INNER)
const geneve = (vni: number) => udp(6081, bytes([0, 0, 8, 0, 0, 0, vni, 0], INNER))
const gtp = (endpoint: number) => udp(2152, bytes([0x30, 255, 0, 40, 0, 0, 0, endpoint], INNER))
const mirrored = (vlan: number) =>
  bytes([0x10, 0, 0x88, 0xbe], [0, 0, 0, 1], [0x10, vlan, 0, 7, 0, 0, 0, 0], ethernet({ payload: INNER }))

test('tunnels: VNI, GRE key and the VLAN that a mirror removed identify networks', () => {
  for (const [protocol, make] of [
    [17, (id: number) => udp(4789, vxlan(INNER, id))],
    [17, geneve],
    [47, greKey],
    [47, mirrored],
  ] as const) {
    assert.notEqual(network(protocol, make(1)), network(protocol, make(2)))
    assert.equal(network(protocol, make(2)), network(protocol, make(2)))
  }
})

test('tunnels: identifiers that differ by direction identify no network', () => {
  assert.equal(network(17, gtp(1)), network(17, gtp(2)))
  assert.equal(network(4, INNER), 0)
})

test('tunnels: limits the nesting depth', () => {
  let wrapped: Uint8Array = INNER
  for (let depth = 0; depth < 5; depth++) wrapped = packet({ ...OUTER, protocol: 4, payload: wrapped })
  assert.equal(decode(wrapped).verdict, NON_TCP)
})

test('tunnels: offsets stay within the packet for any bytes', () => {
  const change = fc.tuple(fc.nat(140), fc.nat(255))
  const tunnel = fc.constantFrom(...WRAPPED)
  fc.assert(
    fc.property(tunnel, fc.array(change, { maxLength: 5 }), fc.nat(80), ([, protocol, payload], changes, cut) => {
      const outer = packet({ ...OUTER, protocol, payload })
      for (const [at, value] of changes) if (at < outer.length) outer[at] = value
      const { verdict, ipOffset, tcpOffset, endOffset } = decode(outer.slice(0, Math.max(0, outer.length - cut)))
      if (verdict === TCP)
        assert.ok(ipOffset < tcpOffset && tcpOffset + 20 <= endOffset && endOffset <= outer.length - cut)
      else assert.ok(verdict >= 1 && verdict <= MALFORMED)
    }),
    { numRuns: 3000 },
  )
})
