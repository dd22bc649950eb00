/** Records and frames in one memory: what is read, what is overwritten when, and what an assembler that does not run loses. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { FramePlace, PlaceEnd } from '../../src/ring/frame-place.ts'
import { INTERFACE, LENGTH_AT, PLACED, PLACED_BYTES, PLACED_IP_AT, TAG_AT, TEXT_AT } from '../../src/ring/layout.ts'

const REGIONS = {
  window: { start: 64, end: 128 },
  records: { start: 256, end: 256 + 4096 },
  spare: { start: 8192, end: 8192 + 512 },
}
const MEMORY_BYTES = 16 * 1024
/** Words of a record after its head. */
const NUMBER_AT = TEXT_AT + 8

/** A place, and an assembler that may not run. */
class Rig {
  runs = true
  readonly read: number[] = []
  readonly end = new PlaceEnd(PlaceEnd.allocate(), new Doorbell(Doorbell.allocate()))
  readonly place = new FramePlace(new ArrayBuffer(MEMORY_BYTES), REGIONS, this.end, () => {
    if (this.runs) this.readAll()
  })

  /** A frame from elsewhere, whose bytes all have its number. @param length 0: in the window */
  frame(number: number, length: number): void {
    const { place } = this
    const at = place.claim(PLACED_BYTES, length)
    const frame = length > 0 ? place.copy(new Uint8Array(length + 2).fill(number), 1, length + 1) : 0
    place.words[(at + TAG_AT) >> 2] = PLACED
    place.words[(at + PLACED_IP_AT) >> 2] = frame
    place.words[(at + PLACED_IP_AT + 4) >> 2] = length
    place.words[(at + NUMBER_AT) >> 2] = number
    place.commit(PLACED_BYTES)
  }

  control(number: number, length: number): void {
    const { place } = this
    const bytes = NUMBER_AT + 4 + length
    const at = place.claim(bytes)
    place.words[(at + TAG_AT) >> 2] = INTERFACE
    place.words[(at + NUMBER_AT) >> 2] = number
    place.bytes.fill(number, at + NUMBER_AT + 4, at + bytes)
    place.commit(bytes)
  }

  readAll(): void {
    while (this.place.waiting > 0) this.readOne()
  }

  readOne(): void {
    const { place } = this
    if (place.waiting === 0) return
    const at = place.next
    const word = (offset: number): number => place.words[(at + offset) >> 2]
    const number = word(NUMBER_AT)
    const length = word(LENGTH_AT)
    assert.ok(at >= REGIONS.records.start && at + length <= REGIONS.records.end)
    const isFrame = word(TAG_AT) === PLACED
    const start = isFrame ? word(PLACED_IP_AT) : at + NUMBER_AT + 4
    const bytes = place.bytes.subarray(start, isFrame ? start + word(PLACED_IP_AT + 4) : at + length - 7)
    assert.ok(bytes.every((byte) => byte === (number & 0xff)))
    place.release(length)
    this.read.push(number)
  }
}

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('frame' as const), length: fc.nat(300) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('frame' as const), length: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('control' as const), length: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('read' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
)
const steps = fc.array(step, { maxLength: 200, size: 'max' })
type Steps = typeof steps extends fc.Arbitrary<infer T> ? T : never

/** @returns the numbers of frames and of control records that were put in */
function follow(rig: Rig, list: Steps): { frames: number[]; controls: number[] } {
  const put = { frames: [] as number[], controls: [] as number[] }
  for (const [number, one] of list.entries()) {
    if (one.do === 'frame') {
      rig.frame(number, one.length)
      put.frames.push(number)
    } else if (one.do === 'control') {
      rig.control(number, one.length)
      put.controls.push(number)
    } else if (one.do === 'settle') rig.place.settle()
    else if (rig.runs) rig.readOne()
  }
  return put
}

test('frame place: model: all is read once, in order, with its bytes', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const rig = new Rig()
      const { frames, controls } = follow(rig, list)
      rig.place.settle()
      assert.deepEqual(
        rig.read,
        [...frames, ...controls].sort((a, b) => a - b),
      )
      assert.equal(rig.place.waiting, 0)
    }),
  )
})

test('frame place: model: while no assembler runs, frames may be lost, and control records are not', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const rig = new Rig()
      rig.runs = false
      const { frames, controls } = follow(rig, list)
      rig.readAll()
      const { read } = rig
      assert.deepEqual(
        read.filter((number) => controls.includes(number)),
        controls,
      )
      const kept = read.filter((number) => frames.includes(number))
      assert.deepEqual(kept, kept.length === 0 ? [] : frames.slice(-kept.length))
      assert.deepEqual(
        read.slice(-kept.length),
        [...read.slice(-kept.length)].sort((a, b) => a - b),
      )
    }),
  )
})

test('frame place: the window is settled by the assembler, or its frames are lost', () => {
  const rig = new Rig()
  rig.frame(1, 0)
  rig.place.settle()
  rig.runs = false
  rig.frame(2, 0)
  rig.control(3, 4)
  rig.place.settle()
  rig.runs = true
  rig.place.settle()
  assert.deepEqual(rig.read, [1, 3])
})

test('frame place: it is finished once it is closed and all has been read', () => {
  const rig = new Rig()
  rig.frame(1, 0)
  assert.equal(rig.place.finished, false)
  rig.place.close()
  assert.equal(rig.end.closed, true)
  assert.equal(rig.place.finished, false)
  rig.place.settle()
  assert.equal(rig.place.finished, true)
})
