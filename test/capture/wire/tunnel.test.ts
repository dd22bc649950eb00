import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { MALFORMED, NON_TCP, PacketDecoder, TCP } from '../../../src/capture/wire/ip.ts'
import { ethernet, packet, tcp } from '../../support/frames.ts'
import { concat } from '../support.ts'

const OUTER = { source: [192, 168, 0, 1], destination: [192, 168, 0, 2] }
const OUTER6 = { source: new Array<number>(16).fill(3), destination: new Array<number>(16).fill(4) }
const INNER = packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(1, 80) })
const INNER6 = packet({ ...OUTER6, protocol: 6, payload: tcp(1, 80) })

const bytes = (...parts: ArrayLike<number>[]): Uint8Array => concat(parts.map((part) => Uint8Array.from(part)))

function udp(destination: number, payload: Uint8Array, source = 50000): Uint8Array {
  const length = 8 + payload.length
  const ports = [source >> 8, source & 255, destination >> 8, destination & 255]
  return bytes(ports, [length >> 8, length & 255, 0, 0], payload)
}

const vxlan = (inner: Uint8Array): Uint8Array => bytes([8, 0, 0, 0, 0, 0, 1, 0], ethernet({ payload: inner }))

/** Outer protocol, and what it carries in front of and with the inner packet. */
const TUNNELS: [name: string, protocol: number, payload: Uint8Array][] = [
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
]

function decode(outer: Uint8Array): PacketDecoder & { verdict: number } {
  const decoder = new PacketDecoder()
  const verdict = decoder.decode(new DataView(outer.buffer), 0, outer.length, outer.length, 101)
  return Object.assign(decoder, { verdict })
}

for (const [name, protocol, payload] of TUNNELS) {
  test(`tunnels: ${name}`, () => {
    for (const addresses of [OUTER, OUTER6]) {
      const outer = packet({ ...addresses, protocol, payload })
      const { verdict, ipOffset, tcpOffset, endOffset } = decode(concat([outer, new Uint8Array(5)]))
      assert.deepEqual([verdict, endOffset], [TCP, outer.length])
      const inner = [INNER, INNER6].find((one) => Buffer.compare(one, outer.subarray(ipOffset)) === 0)
      assert.ok(inner !== undefined)
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

test('tunnels: a fragment of a tunnel is not taken for what it begins with', () => {
  const outer = packet({ ...OUTER, protocol: 4, payload: INNER, fragmentOffset: 0x2000 })
  assert.equal(decode(outer).verdict, NON_TCP)
})

test('tunnels: nesting has an end', () => {
  let wrapped: Uint8Array = INNER
  for (let depth = 0; depth < 5; depth++) wrapped = packet({ ...OUTER, protocol: 4, payload: wrapped })
  assert.equal(decode(wrapped).verdict, NON_TCP)
})

test('tunnels: whatever is in there, offsets stay within the packet', () => {
  const change = fc.tuple(fc.nat(140), fc.nat(255))
  const tunnel = fc.constantFrom(...TUNNELS)
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
