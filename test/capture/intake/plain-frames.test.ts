/** Plain frames: whatever bytes of their headers are changed, the program describes them as the decoder does, or leaves them to it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { memoryOf } from '../../../src/capture/files/window.ts'
import { PLACED_BYTES } from '../../../src/ring/layout.ts'
import { ethernet, packet, tcp } from '../../support/frames.ts'
import { PlaceRig, RECORDS, readInto } from '../place-rig.ts'
import { concat, MAGIC_MICROS, MAGIC_MODIFIED, MAGIC_NANOS, pcapFile, tcpFrame } from '../support.ts'

const ENDS = { source: [10, 0, 0, 1], destination: [10, 0, 0, 2] }
/** Of a record's header and everything up to TCP's. */
const HEADERS_BYTES = 24 + 14 + 60 + 20

function ipv6Frame(payloadLength: number, nextHeader: number): Uint8Array {
  const segment = concat([tcp(7, 80), new Uint8Array(payloadLength)])
  const header = new Uint8Array(40)
  header.set([0x60, 0, 0, 0, segment.length >> 8, segment.length & 0xff, nextHeader, 64])
  return ethernet({ ethertype: 0x86dd, payload: concat([header, segment]) })
}

const udp = ethernet({ payload: packet({ ...ENDS, protocol: 17, payload: new Uint8Array(24) }) })
const tagged = ethernet({ tags: [5], payload: packet({ ...ENDS, protocol: 6, payload: tcp(1, 2) }) })
const frames = fc.oneof(
  fc.integer({ min: 0, max: 1460 }).map((length) => tcpFrame(length)),
  fc.integer({ min: 0, max: 1460 }).map((length) => ipv6Frame(length, 6)),
  fc.constantFrom(udp, tagged, ipv6Frame(20, 17), tcpFrame(0).subarray(0, 50), new Uint8Array(0)),
)
const file = fc
  .record({
    magic: fc.constantFrom(MAGIC_MICROS, MAGIC_NANOS, MAGIC_MODIFIED),
    little: fc.boolean(),
    minor: fc.constantFrom(4, 3, 2),
    linkType: fc.constantFrom(1, 1, 1, 101),
    frames: fc.array(
      fc.record({
        bytes: frames,
        cut: fc.option(fc.integer({ min: 0, max: 120 }), { freq: 4 }),
        seconds: fc.integer({ min: 1_700_000_000, max: 1_700_000_100 }),
        fraction: fc.integer({ min: 0, max: 999_999 }),
      }),
      { minLength: 1, maxLength: 30 },
    ),
  })
  .map(({ frames: described, ...options }) =>
    pcapFile(
      described.map(({ bytes, cut, ...times }) => ({
        ...times,
        bytes: cut === null ? bytes : bytes.subarray(0, cut),
        wireLength: bytes.length,
      })),
      options,
    ),
  )
/** Changes of bytes, most of them in headers. */
const changes = fc.array(
  fc.record({ record: fc.nat(29), offset: fc.nat(HEADERS_BYTES), value: fc.nat(255), isBit: fc.boolean() }),
  { maxLength: 4 },
)

/** What an assembler finds of a file, and what is counted. */
function placed(bytes: Uint8Array, chunks: readonly number[], usesPlain: boolean): unknown {
  const rig = new PlaceRig(usesPlain)
  readInto(bytes, chunks, rig.intake, memoryOf(rig.place))
  rig.place.settle()
  return { seen: rig.seen, counters: rig.counters, micros: rig.intake.stamp.micros }
}

test('plain frames: damaged files give the same records and counts with the program as without', () => {
  fc.assert(
    fc.property(file, changes, fc.integer({ min: 100, max: 40_000 }), (whole, changed, chunk) => {
      const bytes = Uint8Array.from(whole)
      for (const { record, offset, value, isBit } of changed) {
        const at = (24 + record * 160 + offset) % bytes.length
        bytes[at] = isBit ? bytes[at] ^ (1 << (value & 7)) : value
      }
      assert.deepEqual(placed(bytes, [chunk], true), placed(bytes, [chunk], false))
    }),
    { numRuns: 300 },
  )
})

test('plain frames: those of IPv4 and IPv6 are described in one call, and other ones are left', () => {
  const plain = [tcpFrame(10), ipv6Frame(20, 6), tcpFrame(0), ipv6Frame(0, 6)]
  const rig = new PlaceRig()
  const { place } = rig
  const bytes = pcapFile([...plain, udp, tcpFrame(5)].map((frame) => ({ bytes: frame })))
  place.bytes.set(bytes, place.window.start)
  const shape = {
    little: true,
    headerBytes: 16,
    swapped: false,
    mayBeSwapped: false,
    fractionsPerMicro: 1,
    maxLength: 262_144,
  }
  const at = place.window.start + 24
  const records = { bytes: place.bytes, at, end: place.window.start + bytes.length, shape, interfaceId: 3 }
  assert.equal(rig.plain.describe(records, 0), plain.length)
  assert.equal(rig.plain.next, at + plain.reduce((sum, frame) => sum + 16 + frame.length, 0))
  assert.equal(place.waiting, plain.length * PLACED_BYTES)
  assert.equal(place.next, RECORDS.start)
  assert.equal(rig.plain.describe({ ...records, at: rig.plain.next }, 0), 0)
})
