import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  FRAGMENT,
  MALFORMED,
  NON_TCP,
  PacketDecoder,
  TCP,
  UNKNOWN_LINK_TYPE,
} from '../../../src/capture/wire/packet-decoder.ts'
import { parseTunnels, TUNNEL_NAMES } from '../../../src/net/tunnels.ts'
import { packet, tcp } from '../../support/frames.ts'
import { concat } from '../support.ts'

const ALL_TUNNELS = parseTunnels(TUNNEL_NAMES)
const V4 = { source: [10, 0, 0, 1], destination: [10, 0, 0, 2] }
const V6 = { source: new Array<number>(16).fill(1), destination: new Array<number>(16).fill(2) }
const RAW = 101
const SEGMENT = concat([tcp(1000, 80), new Uint8Array(7).fill(0x61)])

function decode(bytes: Uint8Array, end = bytes.length, wireEnd = end): PacketDecoder & { verdict: number } {
  const decoder = new PacketDecoder(ALL_TUNNELS)
  const verdict = decoder.decode(new DataView(bytes.buffer, bytes.byteOffset), 0, end, wireEnd, RAW)
  return Object.assign(decoder, { verdict })
}

/** `bytes` with some of them overwritten. */
function patched(bytes: Uint8Array, at: number, values: number[]): Uint8Array {
  const copy = bytes.slice()
  copy.set(values, at)
  return copy
}

const v4 = (payload = SEGMENT, protocol = 6, optionBytes = 0): Uint8Array =>
  packet({ ...V4, protocol, payload, optionBytes })
const v6 = (next: number, payload: Uint8Array): Uint8Array => packet({ ...V6, protocol: next, payload })

/** An extension header of 8 · (units + 1) bytes. */
const extension = (next: number, units: number): number[] => [next, units, ...new Array<number>(units * 8 + 6).fill(0)]

test('PacketDecoder: decodes IPv4 without and with options', () => {
  for (const options of [0, 4, 40]) {
    const bytes = v4(SEGMENT, 6, options)
    const { verdict, version, tcpOffset, endOffset, truncated } = decode(bytes)
    assert.deepEqual(
      { verdict, version, tcpOffset, endOffset, truncated },
      { verdict: TCP, version: 4, tcpOffset: 20 + options, endOffset: bytes.length, truncated: false },
    )
  }
})

test('PacketDecoder: bytes beyond the IP length are padding, not data', () => {
  for (const bytes of [v4(), v6(6, SEGMENT)]) {
    const padded = concat([bytes, new Uint8Array(19)])
    assert.equal(decode(padded).endOffset, bytes.length)
    assert.equal(decode(padded).truncated, false)
  }
})

test('PacketDecoder: length 0 means the captured length (segmentation offload, BIG TCP)', () => {
  const big4 = patched(v4(concat([tcp(1, 2), new Uint8Array(70000)])), 2, [0, 0])
  assert.equal(decode(big4).endOffset, big4.length)
  const big6 = patched(v6(6, concat([tcp(1, 2), new Uint8Array(70000)])), 4, [0, 0])
  assert.equal(decode(big6).endOffset, big6.length)
  const jumbo = [6, 0, 0xc2, 4, 0, 1, 0x11, 0x70]
  const jumbo6 = patched(v6(0, concat([Uint8Array.from(jumbo), tcp(1, 2), new Uint8Array(70000)])), 4, [0, 0])
  assert.deepEqual(
    [decode(jumbo6).verdict, decode(jumbo6).tcpOffset, decode(jumbo6).endOffset],
    [TCP, 48, jumbo6.length],
  )
})

test('PacketDecoder: marks packets that a snap length truncates', () => {
  const bytes = v4()
  const cut = decode(bytes, bytes.length - 3)
  assert.deepEqual([cut.verdict, cut.endOffset, cut.truncated], [TCP, bytes.length - 3, true])
  const big = patched(bytes, 2, [0, 0])
  assert.equal(decode(big, big.length - 3, big.length).truncated, true)
  assert.equal(decode(big, big.length - 3).truncated, false)
})

const EXTENSIONS: [name: string, first: number, headers: number[]][] = [
  ['none', 6, []],
  ['hop-by-hop', 0, extension(6, 0)],
  ['routing', 43, extension(6, 2)],
  ['destination options', 60, extension(6, 1)],
  ['authentication', 51, [6, 4, ...new Array<number>(22).fill(0)]],
  ['mobility', 135, extension(6, 0)],
  ['an atomic fragment', 44, [6, 0, 0, 0, 1, 2, 3, 4]],
  ['hop-by-hop, routing, destination', 0, [...extension(43, 0), ...extension(60, 0), ...extension(6, 3)]],
]

for (const [name, first, headers] of EXTENSIONS) {
  test(`PacketDecoder: decodes IPv6 with extension headers: ${name}`, () => {
    const bytes = v6(first, concat([Uint8Array.from(headers), SEGMENT]))
    const { verdict, version, tcpOffset, endOffset } = decode(bytes)
    assert.deepEqual(
      { verdict, version, tcpOffset, endOffset },
      { verdict: TCP, version: 6, tcpOffset: 40 + headers.length, endOffset: bytes.length },
    )
  })
}

test('PacketDecoder: decodes IPv4 with an authentication header, whole, fragmented and around a packet', () => {
  const authentication = (next: number): Uint8Array => Uint8Array.from([next, 4, ...new Array<number>(22).fill(0)])
  const { verdict, tcpOffset } = decode(v4(concat([authentication(6), SEGMENT]), 51))
  assert.deepEqual([verdict, tcpOffset], [TCP, 44])
  const fragment = decode(patched(v4(concat([authentication(6), SEGMENT]), 51), 6, [0x20, 0]))
  assert.deepEqual([fragment.verdict, fragment.fragmentProtocol, fragment.fragmentWanted], [FRAGMENT, 51, true])
  assert.equal(decode(v4(concat([authentication(4), v4()]), 51)).tcpOffset, 64)
  assert.equal(decode(v4(authentication(6).subarray(0, 7), 51)).verdict, MALFORMED)
  assert.equal(decode(v4(concat(new Array<Uint8Array>(17).fill(authentication(51))), 51)).verdict, MALFORMED)
})

test('PacketDecoder: recognises fragments of both versions', () => {
  const four = decode(patched(v4(), 4, [0x12, 0x34, 0x20, 0x03]))
  assert.equal(four.verdict, FRAGMENT)
  assert.deepEqual(
    [four.fragmentId, four.fragmentPosition, four.moreFragments, four.fragmentDataOffset, four.fragmentProtocol],
    [0x1234, 24, true, 20, 6],
  )
  const six = decode(v6(0, Uint8Array.from([...extension(44, 0), 6, 0, 0, 0x18, 1, 2, 3, 4, ...SEGMENT])))
  assert.equal(six.verdict, FRAGMENT)
  assert.deepEqual(
    [six.fragmentId, six.fragmentPosition, six.moreFragments, six.fragmentDataOffset, six.fragmentProtocol],
    [0x01020304, 24, false, 56, 6],
  )
})

test('PacketDecoder: fragments that can hold neither TCP nor a tunnel are not kept', () => {
  assert.equal(decode(patched(v4(SEGMENT, 1), 6, [0x20, 0])).verdict, NON_TCP)
  assert.equal(decode(v6(44, Uint8Array.from([58, 0, 0, 1, 1, 2, 3, 4, ...SEGMENT]))).verdict, NON_TCP)
})

test('PacketDecoder: VLAN tags in the bytes and tags removed by the kernel identify the same network', () => {
  const network = (tags: number[], vlan = 0): number => {
    const decoder = new PacketDecoder(ALL_TUNNELS)
    const frame = tagged(tags)
    assert.equal(decoder.decode(new DataView(frame.buffer), 0, frame.length, frame.length, 1, vlan), TCP)
    return decoder.network
  }
  assert.equal(network([]), 0)
  assert.equal(network([0]), 0, 'a priority tag')
  assert.equal(network([0x6000 | 100]), network([100]), 'the priority is no part of it')
  assert.equal(network([], 100), network([100]))
  assert.equal(network([200], 100), network([100, 200]))
  const ids = [network([]), network([100]), network([200]), network([100, 200]), network([200, 100])]
  assert.equal(new Set(ids).size, ids.length)
})

/** An Ethernet frame with 802.1Q tags of these control words. */
const tagged = (tags: number[]): Uint8Array =>
  Uint8Array.from([
    ...new Array<number>(12).fill(2),
    ...tags.flatMap((tag) => [0x81, 0, tag >> 8, tag & 255]),
    ...[8, 0],
    ...v4(),
  ])

const BAD: [name: string, bytes: Uint8Array, expected: number][] = [
  ['version 5', patched(v4(), 0, [0x55]), MALFORMED],
  ['an IPv4 header length below 20', patched(v4(), 0, [0x44]), MALFORMED],
  ['an IPv4 length below its header', patched(v4(), 2, [0, 19]), MALFORMED],
  ['an IPv4 header longer than the packet', patched(v4(SEGMENT.subarray(0, 10)), 0, [0x4f]), MALFORMED],
  ['a cut TCP header', v4(SEGMENT.subarray(0, 19)), MALFORMED],
  ['a cut IPv6 header', v6(6, SEGMENT).subarray(0, 39), MALFORMED],
  ['an extension header longer than the packet', v6(0, Uint8Array.from([6, 200, 0, 0, 0, 0, 0, 0])), MALFORMED],
  ['extension headers without end', v6(0, Uint8Array.from(new Array(30).fill(extension(0, 0)).flat())), MALFORMED],
  ['an empty frame', new Uint8Array(0), MALFORMED],
  ['UDP', v4(SEGMENT, 17), NON_TCP],
  ['ICMPv6', v6(58, SEGMENT), NON_TCP],
  ['ESP', v6(50, SEGMENT), NON_TCP],
  ['no next header', v6(59, new Uint8Array(0)), NON_TCP],
]

for (const [name, bytes, expected] of BAD) {
  test(`PacketDecoder: ${name}`, () => {
    assert.equal(decode(bytes).verdict, expected)
  })
}

test('PacketDecoder: offsets stay within the frame for any bytes and link type', () => {
  const linkTypes = fc.constantFrom(0, 1, 9, 12, 101, 104, 108, 113, 228, 229, 276, 105)
  const seeds = [v4(), v6(0, Uint8Array.from([...extension(44, 0), 6, 0, 0, 1, 0, 0, 0, 0, ...SEGMENT]))]
  const mutated = fc
    .tuple(fc.constantFrom(...seeds), fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 6 }))
    .map(([seed, changes]) => {
      const bytes = seed.slice()
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      return bytes
    })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), mutated), linkTypes, fc.nat(20), (bytes, linkType, cut) => {
      const decoder = new PacketDecoder(ALL_TUNNELS)
      const end = Math.max(0, bytes.length - cut)
      const verdict = decoder.decode(new DataView(bytes.slice(0, end).buffer), 0, end, bytes.length, linkType)
      if (verdict === UNKNOWN_LINK_TYPE || verdict === MALFORMED || verdict === NON_TCP) return
      assert.ok(decoder.endOffset <= end && decoder.ipOffset >= 0)
      if (verdict === TCP)
        assert.ok(decoder.tcpOffset > decoder.ipOffset && decoder.tcpOffset + 20 <= decoder.endOffset)
      else assert.ok(decoder.fragmentDataOffset <= decoder.endOffset)
    }),
    { numRuns: 3000 },
  )
})
