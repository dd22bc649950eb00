import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { PcapRecords } from '../../../src/capture/frame-sink.ts'
import {
  concat,
  MAGIC_MICROS,
  MAGIC_MODIFIED,
  MAGIC_NANOS,
  type PcapOptions,
  pcapFile,
  pcapHeader,
  pcapRecord,
  RememberingSink,
  readCapture,
  START_SECONDS,
  tcpFrame,
} from '../support.ts'

const FRAMES = [0, 10, 300].map((length, i) => ({ bytes: tcpFrame(length, [i, 80]), fraction: i * 1000 }))

const FORMATS: [name: string, options: PcapOptions, fractionsPerMicro: number][] = [
  ['microseconds', { magic: MAGIC_MICROS }, 1],
  ['nanoseconds', { magic: MAGIC_NANOS }, 1000],
  ['modified', { magic: MAGIC_MODIFIED }, 1],
]

for (const little of [true, false]) {
  for (const [name, options, fractionsPerMicro] of FORMATS) {
    test(`PcapReader: ${name}, ${little ? 'little' : 'big'}-endian`, () => {
      const { frames, damages, interfaces } = readCapture(pcapFile(FRAMES, { ...options, little, linkType: 113 }))
      assert.deepEqual(damages, [])
      assert.deepEqual(interfaces, [null])
      assert.deepEqual(
        frames,
        FRAMES.map(({ bytes, fraction }) => ({
          bytes,
          wireLength: bytes.length,
          linkType: 113,
          micros: START_SECONDS * 1e6 + fraction / fractionsPerMicro,
          interfaceId: 0,
        })),
      )
    })
  }
}

test('PcapReader: truncates nanoseconds instead of rounding them', () => {
  const frame = { bytes: tcpFrame(), fraction: 999_999_999 }
  const { frames } = readCapture(pcapFile([frame], { magic: MAGIC_NANOS }))
  assert.equal(frames[0].micros, START_SECONDS * 1e6 + 999_999)
})

test('PcapReader: a snap length shows as a longer wire length', () => {
  const { frames } = readCapture(pcapFile([{ bytes: tcpFrame(10), wireLength: 5000 }]))
  assert.deepEqual([frames[0].bytes.length, frames[0].wireLength], [64, 5000])
})

test('PcapReader: the upper bits of the link type are not part of it', () => {
  const { frames } = readCapture(pcapFile([FRAMES[0]], { linkType: 0x14000001 }))
  assert.equal(frames[0].linkType, 1)
})

test('PcapReader: reads the lengths in the other order before version 2.3, and in either order in 2.3', () => {
  const swapped = (minor: number): Uint8Array => {
    const file = pcapFile([{ bytes: tcpFrame(10), wireLength: 5000 }], { minor })
    const view = new DataView(file.buffer)
    view.setUint32(32, 5000, true)
    view.setUint32(36, 64, true)
    return file
  }
  for (const minor of [2, 3]) {
    const { frames, damages } = readCapture(swapped(minor))
    assert.deepEqual(damages, [])
    assert.deepEqual([frames[0].bytes.length, frames[0].wireLength], [64, 5000])
  }
})

test('PcapReader: an empty capture is complete', () => {
  assert.deepEqual(readCapture(pcapFile([])), { frames: [], damages: [], interfaces: [null] })
})

test('PcapReader: any split of the input yields the same frames', () => {
  const file = pcapFile(FRAMES)
  const whole = readCapture(file)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }), (chunks) => {
      assert.deepEqual(readCapture(file, chunks), whole)
    }),
  )
})

test('PcapReader: truncated anywhere, all complete records are read and the damage is reported at the start of the record', () => {
  const file = pcapFile(FRAMES)
  const starts = FRAMES.map((_, i) => pcapFile(FRAMES.slice(0, i)).length)
  for (let length = 0; length < file.length; length++) {
    const { frames, damages } = readCapture(file.subarray(0, length), [97])
    const whole = starts.filter((_, i) => (starts[i + 1] ?? file.length) <= length).length
    assert.equal(frames.length, whole)
    if (length >= 24 && starts.includes(length)) assert.deepEqual(damages, [])
    else {
      assert.equal(damages.length, 1)
      assert.match(damages[0].reason, /truncated|empty/)
      assert.equal(
        damages[0].offset,
        length === 0 ? null : length < 24 ? 0 : starts.findLast((start) => start <= length),
      )
    }
  }
})

test('PcapReader: a record larger than any window is read', () => {
  const bytes = new Uint8Array(3_000_000).fill(7)
  const file = concat([pcapHeader({ snapLength: 4_000_000 }), pcapRecord({ bytes }), pcapRecord(FRAMES[0])])
  for (const chunk of [64 * 1024, 100]) {
    const { frames, damages } = readCapture(file, [chunk])
    assert.deepEqual(damages, [])
    assert.deepEqual(
      frames.map((frame) => frame.bytes.length),
      [3_000_000, FRAMES[0].bytes.length],
    )
  }
})

const many = Array.from({ length: 40 }, (_, i) => ({ bytes: tcpFrame(50 + i, [i, 80]), seconds: START_SECONDS + i }))

/** Damage in the middle: an edit at record 10's offset, and how many records it may lose. */
const DAMAGES: [name: string, damage: (file: Uint8Array, at: number) => Uint8Array, lost: number][] = [
  ['a length that is too large', (file, at) => patch(file, at + 8, [0xff, 0xff, 0xff, 0x7f]), 1],
  ['a header of noise', (file, at) => patch(file, at, new Array<number>(16).fill(0xa7)), 1],
  ['noise over several records', (file, at) => patch(file, at, new Array<number>(300).fill(0x93)), 4],
  ['zeros over several records', (file, at) => patch(file, at, new Array<number>(300).fill(0)), 4],
  ['bytes missing', (file, at) => concat([file.subarray(0, at), file.subarray(at + 11)]), 2],
  ['bytes too many', (file, at) => concat([file.subarray(0, at), new Uint8Array(13).fill(0xee), file.subarray(at)]), 1],
]

function patch(file: Uint8Array, at: number, bytes: number[]): Uint8Array {
  const copy = file.slice()
  copy.set(bytes, at)
  return copy
}

for (const [name, damage, lost] of DAMAGES) {
  for (const little of [true, false]) {
    test(`PcapReader: resumes after damage: ${name}, ${little ? 'little' : 'big'}-endian`, () => {
      const options = { little }
      const at = pcapFile(many.slice(0, 10), options).length
      const file = damage(pcapFile(many, options), at)
      const { frames, damages } = readCapture(file, [1000])
      assert.ok(damages.length >= 1)
      const found = damages[0].offset ?? -1
      assert.ok(found >= at && found < at + 400, `at ${found}, not ${at}`)
      const good = frames.filter((frame) => many.some(({ bytes }) => Buffer.compare(bytes, frame.bytes) === 0))
      assert.ok(good.length >= many.length - lost - 1, `${good.length} of ${many.length}`)
      assert.ok(frames.length - good.length <= 1, 'noise was read as frames')
    })
  }
}

test('PcapReader: captures joined by cat are read as one, whatever the format of each', () => {
  const second = { magic: MAGIC_NANOS, little: false, linkType: 113 }
  const { frames, damages } = readCapture(concat([pcapFile(FRAMES), pcapFile(FRAMES, second)]), [50])
  assert.deepEqual(damages, [])
  assert.deepEqual(
    frames.map(({ bytes, linkType, micros }) => ({ bytes, linkType, micros })),
    [1, 113].flatMap((linkType) =>
      FRAMES.map(({ bytes, fraction }) => {
        const micros = START_SECONDS * 1e6 + (linkType === 1 ? fraction : fraction / 1000)
        return { bytes, linkType, micros }
      }),
    ),
  )
})

test('PcapReader: a file that is noise after its header is abandoned after a limit', () => {
  let state = 1
  const noise = Uint8Array.from({ length: 200_000 }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state >>> 24
  })
  const { frames, damages } = readCapture(concat([pcapHeader(), noise]))
  assert.equal(frames.length, 0)
  assert.equal(damages.length, 1)
})

test('PcapReader: mutated files never throw, and frames stay within the file', () => {
  const mutation = fc.record({
    at: fc.nat(5000),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    cut: fc.nat(300),
    little: fc.boolean(),
    chunk: fc.integer({ min: 1, max: 700 }),
  })
  fc.assert(
    fc.property(mutation, ({ at, bytes, cut, little, chunk }) => {
      const file = pcapFile(many, { little })
      file.set(bytes.subarray(0, Math.max(0, file.length - at)), Math.min(at, file.length))
      const { frames } = readCapture(file.subarray(0, file.length - cut), [chunk])
      let total = 0
      for (const frame of frames) total += frame.bytes.length
      assert.ok(total <= file.length)
    }),
    { numRuns: 500 },
  )
})

test('PcapReader: asks seldom for plain frames where there are none, and finds them all once there are', () => {
  const tagged = tcpFrame(1)
  const plain = tcpFrame(2)
  const asked: number[] = []
  class Sink extends RememberingSink {
    override plainFrames(records: PcapRecords): number {
      const { bytes, at } = records
      const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(at + 8, true)
      asked.push(length)
      return length === plain.length ? at + 16 + length : at
    }
  }
  const of = (bytes: Uint8Array, count: number) => Array.from({ length: count }, () => ({ bytes }))
  const file = [...of(tagged, 1000), ...of(plain, 1000), ...of(tagged, 1), ...of(plain, 1000)]
  const { frames } = readCapture(pcapFile(file, { linkType: 1 }), undefined, new Sink())
  const count = (seen: readonly number[], length: number): number => seen.filter((each) => each === length).length
  const decoded = frames.map(({ bytes }) => bytes.length)
  assert.equal(count(decoded, tagged.length), 1001)
  assert.ok(count(asked, tagged.length) < 30, `asked ${count(asked, tagged.length)} times of tagged frames`)
  assert.equal(count(decoded, plain.length) + count(asked, plain.length), 2000)
  assert.ok(count(decoded, plain.length) < 64, `${count(decoded, plain.length)} plain frames were decoded one by one`)
})
