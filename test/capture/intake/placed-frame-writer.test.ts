/** Frames in place: each file, however it is read, gives the assembler the frames that it gives through a ring. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { memoryOf } from '../../../src/capture/files/window.ts'
import { WINDOW_BYTES } from '../../../src/ring/frame-place.ts'
import { FRAME, INTERFACE } from '../../../src/ring/layout.ts'
import { packet, tcp } from '../../support/frames.ts'
import { GAP, PlaceRig, RECORDS, readInto, type Seen, WINDOW } from '../place-rig.ts'
import { concat, IntakeRig, PcapngBlocks, pcapFile, tcpFrame } from '../support.ts'

function throughRing(file: Uint8Array, chunks: readonly number[]): { seen: Seen[]; counters: Float64Array } {
  const rig = new IntakeRig({ capacity: 1 << 24 })
  readInto(file, chunks, rig.intake)
  const seen = rig.take().map(({ tag, micros, tcpOffset, word1, packet: bytes }) => ({
    tag,
    micros,
    id: word1,
    tcpOffset,
    bytes: Buffer.from(bytes).toString('latin1'),
  }))
  return { seen, counters: rig.counters }
}

const ends = { source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6 }
const fragments = [0, 2, 4].map((from, i, all) => {
  const payload = concat([tcp(1, 80), new Uint8Array(20).fill(7)]).subarray(from * 8, from * 8 + 16)
  return packet({ ...ends, payload, fragmentOffset: from | (i < all.length - 1 ? 0x2000 : 0) })
})
/** The record is longer than the window, because the link layer has padded the frame. */
const padded = concat([tcpFrame(400), new Uint8Array(WINDOW_BYTES)])
const blocks = new PcapngBlocks()
const named = (name: string): Uint8Array => blocks.interface(1, 0, [[2, Buffer.from(name)]])
const FILES: Record<string, Uint8Array> = {
  frames: pcapFile(Array.from({ length: 300 }, (_, i) => ({ bytes: tcpFrame(i * 9, [i, 80], i & 0xff), seconds: i }))),
  fragments: pcapFile(
    [...fragments, packet({ ...ends, payload: tcp(3, 80) }), ...fragments].map((bytes) => ({ bytes })),
    { linkType: 101 },
  ),
  'long records': pcapFile([tcpFrame(10), padded, tcpFrame(20), padded, tcpFrame(30)].map((bytes) => ({ bytes }))),
  interfaces: concat([
    blocks.section(),
    ...Array.from({ length: 40 }, (_, i) => named(`eth${i}`)),
    ...Array.from({ length: 80 }, (_, i) => blocks.enhanced(i % 40, BigInt(i), tcpFrame(i))),
  ]),
}

for (const [name, file] of Object.entries(FILES)) {
  test(`placed frames: ${name}: the assembler finds what it finds in a ring`, () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: file.length }), { minLength: 1, maxLength: 4 }), (chunks) => {
        const rig = new PlaceRig()
        readInto(file, chunks, rig.intake, memoryOf(rig.place))
        rig.place.settle()
        const { seen, counters } = throughRing(file, chunks)
        assert.ok(seen.some(({ tag }) => tag === FRAME) && seen[0].tag === INTERFACE)
        assert.deepEqual(rig.seen, seen)
        assert.deepEqual(rig.counters, counters)
        assert.equal(rig.place.finished, true)
      }),
      { numRuns: 20 },
    )
  })
}

test('placed frames: bytes outside of the parts of a place are left as they are', () => {
  const rig = new PlaceRig()
  const outside = [0, WINDOW.end, RECORDS.end].map((at) => rig.place.bytes.subarray(at, at + GAP).fill(0xee))
  for (const file of Object.values(FILES)) readInto(file, [file.length], rig.intake, memoryOf(rig.place))
  for (const bytes of outside) assert.ok(bytes.every((byte) => byte === 0xee))
})
