import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FRAME } from '../../../src/ring/layout.ts'
import { packet, tcp } from '../../support/frames.ts'
import { concat, IntakeRig } from '../support.ts'
import { INNER, OUTER, OUTER6, udp, vxlan, WRAPPED } from './tunnel-samples.ts'

const V4 = { source: [10, 0, 0, 1], destination: [10, 0, 0, 2] }
const V6 = { source: new Array<number>(16).fill(1), destination: new Array<number>(16).fill(2) }
const RAW = { linkType: 101 }

interface Piece {
  /** In units of 8 bytes. */
  from: number
  to: number
}

/** TCP header and payload; the bytes depend on their offsets. */
const segment = (length: number): Uint8Array =>
  concat([tcp(1000, 80), Uint8Array.from({ length: length - 20 }, (_, i) => (i * 7 + (i >> 8)) & 0xff)])

/** The fragment of `data` that `piece` names; `fill` overwrites its bytes. */
function fragment(version: 4 | 6, data: Uint8Array, piece: Piece, id = 1, fill: number | null = null): Uint8Array {
  const end = Math.min(data.length, piece.to * 8)
  const bytes = data.slice(piece.from * 8, end)
  if (fill !== null) bytes.fill(fill)
  const more = end < data.length
  if (version === 4) {
    const offset = piece.from | (more ? 0x2000 : 0)
    const whole = packet({ ...V4, protocol: 6, payload: bytes, fragmentOffset: offset })
    whole[5] = id
    return whole
  }
  const offset = (piece.from << 3) | (more ? 1 : 0)
  const header = [6, 0, offset >> 8, offset & 0xff, 0, 0, 0, id]
  return packet({ ...V6, protocol: 44, payload: Uint8Array.from([...header, ...bytes]) })
}

/** The only packet in the ring, without its IP header. */
function onlySegment(rig: IntakeRig): Uint8Array {
  const frames = rig.take().filter(({ tag }) => tag === FRAME)
  assert.equal(frames.length, 1)
  return frames[0].packet.subarray(frames[0].tcpOffset)
}

for (const version of [4, 6] as const) {
  test(`FragmentTable: IPv${version} fragments in any order and of any size, also duplicated, yield the packet once`, () => {
    const data = segment(203)
    const units = Math.ceil(data.length / 8)
    const plan = fc.tuple(
      fc.uniqueArray(fc.integer({ min: 1, max: units - 1 }), { maxLength: 8 }),
      fc.infiniteStream(fc.nat()),
    )
    fc.assert(
      fc.property(plan, ([cuts, random]) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), units]
        const pieces = edges.slice(1).map((to, i) => ({ from: edges[i], to }))
        const order = pieces
          .flatMap((piece) => [{ piece, key: random.next().value }])
          .sort((a, b) => a.key - b.key)
          .map(({ piece }) => piece)
        // All but the last are sent twice, because only the last one completes the packet.
        const sent = [...order.slice(0, -1), ...order.slice(0, -1), ...order.slice(-1)]
        const rig = new IntakeRig()
        for (const piece of sent) rig.push(fragment(version, data, piece), RAW)
        assert.deepEqual(onlySegment(rig), data)
        assert.deepEqual([rig.count('queued'), rig.count('skippedFragment')], [1, sent.length - 1])
        rig.intake.finish()
        assert.equal(rig.law().accounted, rig.law().seen)
      }),
    )
  })

  test(`FragmentTable: IPv${version}: the first copy of a byte wins`, () => {
    const data = segment(80)
    const rig = new IntakeRig()
    rig.push(fragment(version, data, { from: 0, to: 4 }), RAW)
    rig.push(fragment(version, data, { from: 2, to: 8 }, 1, 0xee), RAW)
    rig.push(fragment(version, data, { from: 8, to: 10 }), RAW)
    const expected = data.slice()
    expected.fill(0xee, 32, 64)
    assert.deepEqual(onlySegment(rig), expected)
  })
}

test('FragmentTable: the packet has its length and no trace of fragments, options or extension headers', () => {
  const data = segment(64)
  for (const version of [4, 6] as const) {
    const rig = new IntakeRig()
    rig.push(fragment(version, data, { from: 0, to: 3 }), RAW)
    rig.push(fragment(version, data, { from: 3, to: 8 }), RAW)
    const [record] = rig.take()
    const view = new DataView(record.packet.buffer, record.packet.byteOffset)
    if (version === 4) assert.deepEqual([view.getUint16(2), view.getUint16(6), record.tcpOffset], [84, 0, 20])
    else assert.deepEqual([view.getUint16(4), view.getUint8(6), record.tcpOffset], [64, 6, 40])
  }
})

test('FragmentTable: distinguishes interleaved packets by identification', () => {
  const [one, two] = [segment(64), segment(72)]
  const rig = new IntakeRig()
  rig.push(fragment(4, one, { from: 0, to: 3 }, 1), RAW)
  rig.push(fragment(4, two, { from: 0, to: 3 }, 2), RAW)
  rig.push(fragment(4, two, { from: 3, to: 9 }, 2), RAW)
  rig.push(fragment(4, one, { from: 3, to: 8 }, 1), RAW)
  const lengths = rig.take().map((record) => record.packet.length - record.tcpOffset)
  assert.deepEqual(lengths, [72, 64])
})

/** One's complement sum of 16-bit words, the last one padded with 0. */
function wordSum(...parts: ArrayLike<number>[]): number {
  let sum = 0
  for (const part of parts) for (let at = 0; at < part.length; at += 2) sum += part[at] * 256 + (part[at + 1] ?? 0)
  return sum % 0xffff
}

/** A segment between the addresses with a checksum. */
function checked({ source, destination }: typeof V4, length: number, fill: number, pseudoOnly = false): Uint8Array {
  const data = concat([tcp(1000, 80), new Uint8Array(length - 20).fill(fill)])
  const pseudo = wordSum(source, destination, [0, 6], [length >> 8, length & 0xff])
  const checksum = pseudoOnly ? pseudo : 0xffff - ((pseudo + wordSum(data)) % 0xffff)
  data.set([checksum >> 8, checksum & 0xff], 16)
  return data
}

for (const [version, addresses] of [
  [4, V4],
  [6, V6],
] as const) {
  test(`FragmentTable: IPv${version} fragments of two packets with one identification are not joined (RFC 4963)`, () => {
    for (const length of [64, 71]) {
      const [one, two] = [checked(addresses, length, 0x61), checked(addresses, length, 0x62)]
      const rig = new IntakeRig()
      rig.push(fragment(version, one, { from: 3, to: 9 }), RAW)
      rig.push(fragment(version, two, { from: 0, to: 3 }), RAW)
      assert.equal(rig.take().length, 0)
      assert.deepEqual([rig.count('skippedMalformed'), rig.count('skippedFragment')], [1, 1])
      for (const whole of [one, two, checked(addresses, length, 0x63, true)]) {
        for (const piece of [
          { from: 0, to: 3 },
          { from: 3, to: 9 },
        ])
          rig.push(fragment(version, whole, piece), RAW)
        assert.deepEqual(onlySegment(rig), whole)
      }
      const { seen, accounted } = rig.law()
      assert.equal(accounted, seen)
    }
  })
}

/** Extension headers in front of the fragment header that may name other addresses, and one that does not. */
for (const [name, type, kept] of [
  ['a routing header', 43, 1],
  ['destination options', 60, 1],
  ['hop-by-hop options', 0, 0],
] as const) {
  test(`FragmentTable: behind ${name} a packet with the checksum of other addresses is ${kept === 1 ? 'kept' : 'malformed'}`, () => {
    const data = checked({ ...V6, destination: new Array<number>(16).fill(3) }, 64, 0x61)
    const rig = new IntakeRig()
    for (const piece of [
      { from: 0, to: 3 },
      { from: 3, to: 8 },
    ]) {
      const whole = fragment(6, data, piece)
      const extension = [44, 2, 4, 1, ...new Array<number>(20).fill(3)]
      rig.push(packet({ ...V6, protocol: type, payload: Uint8Array.from([...extension, ...whole.subarray(40)]) }), RAW)
    }
    assert.deepEqual([rig.count('queued'), rig.count('skippedMalformed')], [kept, 1 - kept])
    // Of the next packet the addresses are known again.
    for (const piece of [
      { from: 0, to: 3 },
      { from: 3, to: 8 },
    ])
      rig.push(fragment(6, data, piece, 2), RAW)
    assert.equal(rig.count('skippedMalformed'), 2 - kept)
  })
}

test('FragmentTable: drops and counts incomplete packets at the end', () => {
  const rig = new IntakeRig()
  rig.push(fragment(4, segment(64), { from: 0, to: 3 }), RAW)
  rig.push(fragment(4, segment(64), { from: 4, to: 8 }), RAW)
  assert.equal(rig.count('droppedFragment'), 0)
  rig.intake.finish()
  assert.equal(rig.count('droppedFragment'), 2)
  assert.equal(rig.law().accounted, rig.law().seen)
})

test('FragmentTable: drops packets that are incomplete after 30 s of packet time; late fragments do not join them', () => {
  const data = segment(64)
  const rig = new IntakeRig()
  rig.push(fragment(4, data, { from: 0, to: 3 }), { ...RAW, micros: 1e15 })
  rig.push(fragment(4, data, { from: 3, to: 8 }), { ...RAW, micros: 1e15 + 30_000_001 })
  assert.deepEqual([rig.count('queued'), rig.count('droppedFragment')], [0, 1])
  rig.intake.finish()
  assert.equal(rig.law().accounted, rig.law().seen)
})

test('FragmentTable: drops the oldest packet over the bound', () => {
  const data = segment(64)
  const rig = new IntakeRig()
  for (let id = 0; id < 65; id++) rig.push(fragment(4, data, { from: 0, to: 3 }, id), RAW)
  assert.equal(rig.count('droppedFragment'), 1)
  rig.push(fragment(4, data, { from: 3, to: 8 }, 1), RAW)
  assert.equal(rig.count('queued'), 1)
  rig.intake.finish()
  assert.equal(rig.law().accounted, rig.law().seen)
})

test('FragmentTable: distinguishes packets of two VLANs', () => {
  const pieces = (tag: number, data: Uint8Array) =>
    [
      { from: 0, to: 3 },
      { from: 3, to: 8 },
    ].map((piece) => Uint8Array.from([...tagged(tag), ...fragment(4, data, piece)]))
  const [one, two] = [segment(64), segment(64).fill(0xee, 24)]
  const rig = new IntakeRig()
  const [[first, last], [otherFirst, otherLast]] = [pieces(10, one), pieces(20, two)]
  for (const frame of [first, otherFirst, otherLast, last]) rig.push(frame)
  const seen = rig.take().map(({ packet: bytes, tcpOffset }) => bytes.subarray(tcpOffset))
  assert.deepEqual(seen, [two, one])
})

/** An Ethernet header with an 802.1Q tag, for IPv4. */
const tagged = (vlan: number): number[] => [...new Array<number>(12).fill(2), 0x81, 0, 0, vlan, 8, 0]

/** A packet cut into fragments of `units` times 8 bytes of data. */
function cut(whole: Uint8Array, units: number, id = 1): Uint8Array[] {
  const version6 = whole[0] >> 4 === 6
  const headerBytes = version6 ? 40 : 20
  const data = whole.subarray(headerBytes)
  const pieces: Uint8Array[] = []
  for (let from = 0; from < data.length; from += units * 8) {
    const part = data.subarray(from, from + units * 8)
    const more = from + part.length < data.length
    const header = whole.slice(0, headerBytes)
    const view = new DataView(header.buffer)
    if (version6) {
      header[6] = 44
      view.setUint16(4, 8 + part.length)
      const offset = from | (more ? 1 : 0)
      pieces.push(concat([header, Uint8Array.from([whole[6], 0, offset >> 8, offset & 255, 0, 0, 0, id]), part]))
    } else {
      view.setUint16(2, headerBytes + part.length)
      view.setUint16(4, id)
      view.setUint16(6, (from >> 3) | (more ? 0x2000 : 0))
      pieces.push(concat([header, part]))
    }
  }
  return pieces
}

const OTHER_ORDERS: [name: string, order: (pieces: Uint8Array[]) => Uint8Array[]][] = [
  ['in order', (pieces) => pieces],
  ['last first', (pieces) => pieces.toReversed()],
]

for (const [name, protocol, payload, inner] of WRAPPED) {
  test(`FragmentTable: reassembles the fragmented outer packet of ${name}`, () => {
    for (const addresses of [OUTER, OUTER6]) {
      for (const [order, arrange] of OTHER_ORDERS) {
        const pieces = arrange(cut(packet({ ...addresses, protocol, payload }), 2))
        const rig = new IntakeRig()
        for (const piece of pieces) rig.push(piece, RAW)
        const [record] = rig.take()
        assert.ok(record !== undefined, order)
        assert.deepEqual(record.packet, inner, order)
        assert.deepEqual([rig.count('queued'), rig.count('skippedFragment')], [1, pieces.length - 1])
        assert.equal(rig.law().accounted, rig.law().seen)
      }
    }
  })
}

test('FragmentTable: reassembles fragments within a tunnel whose outer packets are fragments too', () => {
  const data = segment(203)
  const inner = cut(packet({ ...V4, protocol: 6, payload: data }), 10)
  const frames = inner.flatMap((piece, i) =>
    cut(packet({ ...OUTER, protocol: 17, payload: udp(4789, vxlan(piece)) }), 5, i + 1),
  )
  const rig = new IntakeRig()
  for (const frame of frames) rig.push(frame, RAW)
  assert.deepEqual(onlySegment(rig), data)
  assert.deepEqual([rig.count('queued'), rig.count('skippedFragment')], [1, frames.length - 1])
  rig.intake.finish()
  assert.equal(rig.law().accounted, rig.law().seen)
})

test('FragmentTable: a fragment header in reassembled data is malformed', () => {
  const inner = fragment(6, segment(64), { from: 0, to: 3 })
  const nested = packet({ ...V6, protocol: 44, payload: inner.subarray(40) })
  const rig = new IntakeRig()
  for (const piece of cut(nested, 2)) rig.push(piece, RAW)
  assert.deepEqual([rig.count('queued'), rig.count('skippedMalformed')], [0, 1])
  assert.equal(rig.law().accounted, rig.law().seen)
})

test('FragmentTable: fragmented UDP that is not a tunnel is not TCP, in any order', () => {
  for (const [order, arrange] of OTHER_ORDERS) {
    const pieces = arrange(cut(packet({ ...OUTER, protocol: 17, payload: udp(53, new Uint8Array(200)) }), 5))
    const rig = new IntakeRig()
    for (const piece of pieces) rig.push(piece, RAW)
    assert.equal(rig.count('skippedNonTcp'), pieces.length, order)
    rig.intake.finish()
    assert.equal(rig.count('droppedFragment'), 0, order)
  }
})

test('FragmentTable: a fragmented tunnel packet without TCP inside is not TCP', () => {
  const inside = packet({ ...V4, protocol: 17, payload: udp(53, new Uint8Array(200)) })
  const pieces = cut(packet({ ...OUTER, protocol: 17, payload: udp(4789, vxlan(inside)) }), 5)
  const rig = new IntakeRig()
  for (const piece of pieces) rig.push(piece, RAW)
  assert.equal(rig.count('skippedNonTcp'), pieces.length)
})

test('FragmentTable: complete UDP datagrams leave room for tunnels', () => {
  const rig = new IntakeRig()
  const [first, ...rest] = cut(packet({ ...OUTER, protocol: 17, payload: udp(4789, vxlan(INNER)) }), 5, 999)
  rig.push(first, RAW)
  for (let id = 0; id < 200; id++) {
    for (const piece of cut(packet({ ...OUTER, protocol: 17, payload: udp(53, new Uint8Array(200)) }), 20, id)) {
      rig.push(piece, RAW)
    }
  }
  for (const piece of rest) rig.push(piece, RAW)
  assert.equal(rig.count('queued'), 1)
})

const CONTRADICTIONS: [name: string, second: (data: Uint8Array) => Uint8Array][] = [
  [
    'a middle fragment that is not a multiple of 8 long',
    (data) => fragment(4, data.subarray(0, 37), { from: 3, to: 5 }),
  ],
  [
    'a fragment beyond 64 KiB',
    (data) => fragment(4, concat([new Uint8Array(0x1fff * 8), data]), { from: 0x1fff, to: 0x2010 }),
  ],
]

test('FragmentTable: fragments that contradict the format drop their packet', () => {
  for (const [name, make] of CONTRADICTIONS) {
    const data = segment(64)
    const rig = new IntakeRig()
    rig.push(fragment(4, data, { from: 0, to: 3 }), RAW)
    const second = make(data)
    if (name.startsWith('a middle')) second[6] = 0x20
    rig.push(second, RAW)
    assert.equal(rig.count('droppedFragment'), 2, name)
  }
})

test('FragmentTable: an end before bytes already received drops the packet', () => {
  const data = segment(64)
  const rig = new IntakeRig()
  rig.push(fragment(4, data, { from: 4, to: 6 }), RAW)
  rig.push(fragment(4, data.subarray(0, 24), { from: 1, to: 3 }), RAW)
  assert.equal(rig.count('droppedFragment'), 2)
})

test('FragmentTable: the law of frames holds for any fragments', () => {
  const piece = fc.record({
    version: fc.constantFrom(4 as const, 6 as const),
    from: fc.nat(12),
    length: fc.integer({ min: 0, max: 12 }),
    size: fc.integer({ min: 20, max: 100 }),
    id: fc.nat(3),
    second: fc.nat(100),
    cut: fc.nat(12),
  })
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60, size: 'max' }), (pieces) => {
      const rig = new IntakeRig()
      for (const { version, from, length, size, id, second, cut } of pieces) {
        const bytes = fragment(version, segment(size), { from, to: from + length }, id)
        const captured = bytes.subarray(0, bytes.length - cut)
        rig.push(captured, { ...RAW, wireLength: bytes.length, micros: 1e15 + second * 1e6 })
      }
      rig.intake.finish()
      assert.equal(rig.law().accounted, pieces.length)
      assert.equal(rig.take().length, rig.count('queued'))
    }),
  )
})
