/** An intake whose frames are in place, and what an assembler finds there. */
import assert from 'node:assert/strict'
import { FileReader } from '../../src/capture/files/file-reader.ts'
import { ownMemory } from '../../src/capture/files/window.ts'
import { Intake } from '../../src/capture/intake/intake.ts'
import { loadPlainFrames, PlainFrames } from '../../src/capture/intake/plain-frames.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../src/ledger/counters.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { FramePlace, PLACED_RECORDS_BYTES, PlaceEnd, WINDOW_BYTES } from '../../src/ring/frame-place.ts'
import { FRAME, MAX_FRAME_BYTES, PLACED } from '../../src/ring/layout.ts'
import { Control } from '../../src/thread/control.ts'
import type { RingRecord } from './support.ts'

/** Bytes that belong to no part of the place. */
export const GAP = 64
export const WINDOW = { start: GAP, end: GAP + WINDOW_BYTES }
export const RECORDS = { start: WINDOW.end + GAP, end: WINDOW.end + GAP + PLACED_RECORDS_BYTES }
const SPARE = { start: RECORDS.end + GAP, end: RECORDS.end + GAP + MAX_FRAME_BYTES }

const PROGRAM = loadPlainFrames()
const SECRET = 0x5eed5eed

/** A record as the assembler finds it; of a frame, its packet. */
export type Seen = Pick<RingRecord, 'tag' | 'micros' | 'tcpOffset'> & { bytes: string; id: number }

/** An intake whose frames are in place, and what an assembler finds there. */
export class PlaceRig {
  readonly seen: Seen[] = []
  readonly counters = allocateCounters(CAPTURE_COUNTERS)
  readonly place: FramePlace
  readonly intake: Intake
  readonly plain: PlainFrames

  /** @param usesPlain whether plain frames are described by the program, instead of one by one */
  constructor(usesPlain = true) {
    const bell = new Doorbell(Doorbell.allocate())
    const end = new PlaceEnd(PlaceEnd.allocate(), bell)
    const regions = { window: WINDOW, records: RECORDS, spare: SPARE }
    const pages = Math.ceil(SPARE.end / 65_536)
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    this.place = new FramePlace(memory.buffer, regions, end, () => this.#read())
    this.plain = new PlainFrames(PROGRAM, memory, this.place)
    this.intake = new Intake({
      rings: [],
      place: this.place,
      plain: usesPlain ? this.plain : null,
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

const INFO = { vantage: 'file', mesh: null, domain: 0, vantagePoint: null } as const

/** Reads a file in chunks of these lengths, repeated as needed, into an intake. */
export function readInto(file: Uint8Array, chunks: readonly number[], intake: Intake, memory = ownMemory()): void {
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
