/** Frames in place: each file, however it is read, gives the assembler the frames that it gives through a ring. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FileReader } from '../../../src/capture/files/file-reader.ts'
import { memoryOf, ownMemory } from '../../../src/capture/files/window.ts'
import { Intake } from '../../../src/capture/intake/intake.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import { FramePlace, PLACED_RECORDS_BYTES, PlaceEnd, WINDOW_BYTES } from '../../../src/ring/frame-place.ts'
import { FRAME, INTERFACE, MAX_FRAME_BYTES, PLACED } from '../../../src/ring/layout.ts'
import { Control } from '../../../src/thread/control.ts'
import { packet, tcp } from '../../support/frames.ts'
import { concat, IntakeRig, PcapngBlocks, pcapFile, type RingRecord, tcpFrame } from '../support.ts'

const GAP = 64
const WINDOW = { start: GAP, end: GAP + WINDOW_BYTES }
const RECORDS = { start: WINDOW.end + GAP, end: WINDOW.end + GAP + PLACED_RECORDS_BYTES }
const SPARE = { start: RECORDS.end + GAP, end: RECORDS.end + GAP + MAX_FRAME_BYTES }

const SECRET = 0x5eed5eed
const INFO = { vantage: 'file', mesh: null, domain: 0, vantagePoint: null } as const

type Seen = Pick<RingRecord, 'tag' | 'micros' | 'tcpOffset'> & { bytes: string; id: number }

/** An intake whose frames are in place, and what an assembler finds there. */
class PlaceRig {
  readonly seen: Seen[] = []
  readonly counters = allocateCounters(CAPTURE_COUNTERS)
  readonly place: FramePlace
  readonly intake: Intake

  constructor() {
    const bell = new Doorbell(Doorbell.allocate())
    const end = new PlaceEnd(PlaceEnd.allocate(), bell)
    const regions = { window: WINDOW, records: RECORDS, spare: SPARE }
    this.place = new FramePlace(new ArrayBuffer(SPARE.end), regions, end, () => this.#read())
    this.intake = new Intake({
      rings: [],
      place: this.place,
      counters: this.counters,
      whenFull: 'wait',
      bell,
      secret: SECRET,
      control: new Control(Control.allocate()),
    })
  }

  #read(): void {
    const { place } = this
    const view = new DataView(place.bytes.buffer)
    for (; place.waiting > 0; place.release(view.getInt32(place.next, true))) {
      const at = place.next
      const word = (offset: number): number => view.getInt32(at + offset, true)
      const isFrame = word(4) === PLACED
      const start = isFrame ? word(24) : at + 24
      if (isFrame) assert.equal(word(16), SECRET)
      this.seen.push({
        tag: isFrame ? FRAME : word(4),
        micros: view.getFloat64(at + 8, true),
        id: word(20),
        tcpOffset: isFrame ? word(28) - start : 0,
        bytes: Buffer.from(place.bytes.subarray(start, isFrame ? word(32) : start + word(16))).toString('latin1'),
      })
    }
  }
}

/** Reads a file in chunks of these lengths, repeated as needed, into an intake. */
function read(file: Uint8Array, chunks: readonly number[], intake: Intake, memory = ownMemory()): void {
  const names: (string | null)[] = []
  const interfaceId = (name: string | null): number => {
    if (!names.includes(name)) intake.addInterface(names.push(name) - 1, { name: name ?? 'file', ...INFO })
    return names.indexOf(name)
  }
  const reader = new FileReader({ sink: intake, interfaceId, damage: () => true }, memory)
  for (let at = 0, i = 0; at < file.length; i += 1) {
    const length = chunks[i % chunks.length]
    reader.push(file.subarray(at, at + length))
    at += length
  }
  reader.end()
  intake.finish()
}

function throughRing(file: Uint8Array, chunks: readonly number[]): { seen: Seen[]; counters: Float64Array } {
  const rig = new IntakeRig({ capacity: 1 << 24 })
  read(file, chunks, rig.intake)
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
        read(file, chunks, rig.intake, memoryOf(rig.place))
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
  for (const file of Object.values(FILES)) read(file, [file.length], rig.intake, memoryOf(rig.place))
  for (const bytes of outside) assert.ok(bytes.every((byte) => byte === 0xee))
})
