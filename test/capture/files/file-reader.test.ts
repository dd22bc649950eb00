import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FileReader } from '../../../src/capture/files/file-reader.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { pcapFile, RememberingSink, readCapture, tcpFrame } from '../support.ts'

const FRAMES = [0, 1, 10, 300, 1400, 3].map((length, index) => ({ bytes: tcpFrame(length, [index, 80]) }))
const FILE = pcapFile(FRAMES)

interface Result {
  frames: number
  damages: [number | null, string][]
}

/** Reads chunks in either of the two ways: `push`, or into the window followed by `advance`. */
function readChunks(chunks: readonly { bytes: Uint8Array; isPushed: boolean }[]): Result & { reader: FileReader } {
  const sink = new RememberingSink()
  const damages: Result['damages'] = []
  const reader = new FileReader({
    sink,
    interfaceId: () => 0,
    damage: (offset, reason) => damages.push([offset, reason]) < 16,
  })
  for (const { bytes, isPushed } of chunks) {
    if (isPushed) reader.push(bytes)
    else {
      assert.ok(reader.window.prepare() >= bytes.length)
      reader.window.bytes.set(bytes, reader.window.end)
      reader.window.filled(bytes.length)
      reader.advance()
    }
  }
  reader.end()
  assert.deepEqual(
    sink.frames.map(({ bytes }) => bytes),
    FRAMES.slice(0, sink.frames.length).map(({ bytes }) => bytes),
  )
  return { frames: sink.frames.length, damages, reader }
}

/** A copy that begins at this offset of its memory. */
function copyAt(bytes: Uint8Array, offset: number): Uint8Array {
  const copy = new Uint8Array(new ArrayBuffer(bytes.length + offset), offset, bytes.length)
  copy.set(bytes)
  return copy
}

const piece = fc.record({
  length: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 1000 })),
  isPushed: fc.boolean(),
  // Only chunks at multiples of eight are parsed in place.
  offset: fc.constantFrom(0, 0, 8, 3),
})

test('file reader: returns the same frames for chunks of any size, pushed or read into the window', () => {
  const property = fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), (pieces) => {
    const chunks: { bytes: Uint8Array; isPushed: boolean }[] = []
    for (let at = 0, index = 0; at < FILE.length; index += 1) {
      const { length, isPushed, offset } = pieces[index % pieces.length]
      chunks.push({ bytes: copyAt(FILE.subarray(at, at + length), offset), isPushed })
      at += length
    }
    const { frames, damages } = readChunks(chunks)
    assert.deepEqual({ frames, damages }, { frames: FRAMES.length, damages: [] })
  })
  fc.assert(property, { numRuns: propertyRuns(1200) })
})

test('file reader: an empty file, and one that ends within its first four bytes, are damaged', () => {
  assert.deepEqual(readCapture(new Uint8Array(0)).damages, [{ offset: null, reason: 'the file is empty' }])
  for (const length of [1, 3]) {
    const reason = `the file is truncated after ${length} bytes`
    assert.deepEqual(readCapture(FILE.subarray(0, length), [1]).damages, [{ offset: 0, reason }])
  }
})

test('file reader: reports once that a file is not a capture, and skips the rest', () => {
  const text = { bytes: copyAt(Buffer.from('hello, this is no capture\n'), 0), isPushed: true }
  const { frames, damages, reader } = readChunks([text, text, { ...text, isPushed: false }])
  assert.equal(frames, 0)
  assert.equal(damages.length, 1)
  assert.match(String(damages[0]), /^,not a capture file /)
  assert.ok(reader.isNotACapture)
  assert.equal(reader.window.available, 0)
})
