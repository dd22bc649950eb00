import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FileReader } from '../../../src/capture/files/file-reader.ts'
import { concat, Layer, PcapngBlocks, RememberingSink, readCapture, START_SECONDS, tcpFrame } from '../support.ts'

const FRAMES = [0, 10, 301].map((length, i) => tcpFrame(length, [i, 80]))
const START = BigInt(START_SECONDS)
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

/** Options of an interface description. */
const NAME = 2
const RESOLUTION = 9
const OFFSET = 14

for (const little of [true, false]) {
  test(`PcapngReader: enhanced packets of two interfaces, ${little ? 'little' : 'big'}-endian`, () => {
    const b = new PcapngBlocks(little)
    const file = concat([
      b.section(),
      b.interface(1, 0, [[NAME, text('eth0')]]),
      b.interface(113, 0, [
        [1, text('a comment')],
        [NAME, text('any\0\0')],
        [RESOLUTION, Uint8Array.of(9)],
      ]),
      b.enhanced(1, START * 1_000_000_000n + 1999n, FRAMES[0], 7000),
      b.enhanced(0, START * 1_000_000n + 5n, FRAMES[1]),
    ])
    const { frames, damages, interfaces } = readCapture(file)
    assert.deepEqual(damages, [])
    assert.deepEqual(interfaces, ['any', 'eth0'])
    const micros = START_SECONDS * 1e6
    assert.deepEqual(frames, [
      { bytes: FRAMES[0], wireLength: 7000, linkType: 113, micros: micros + 1, interfaceId: 0 },
      { bytes: FRAMES[1], wireLength: FRAMES[1].length, linkType: 1, micros: micros + 5, interfaceId: 1 },
    ])
  })
}

test('PcapngReader: simple and obsolete packets', () => {
  const b = new PcapngBlocks()
  const file = concat([
    b.section(),
    b.interface(1, 60),
    b.obsolete(0, START * 1_000_000n, FRAMES[1]),
    b.simple(FRAMES[2].subarray(0, 60), 355),
  ])
  const { frames, damages, interfaces } = readCapture(file)
  assert.deepEqual(damages, [])
  assert.deepEqual(interfaces, [null])
  assert.deepEqual(frames[0].bytes, FRAMES[1])
  assert.deepEqual(frames[1].bytes, FRAMES[2].subarray(0, 60))
  assert.equal(frames[1].wireLength, 355)
  assert.equal(frames[1].micros, START_SECONDS * 1e6, 'the time of the packet before')
})

test('PcapngReader: sections have byte orders and interfaces of their own', () => {
  const sections = [true, false, true].map((little, i) => {
    const b = new PcapngBlocks(little)
    return concat([b.section(), b.interface(1, 0, [[NAME, text(`if${i}`)]]), b.enhanced(0, START, FRAMES[i])])
  })
  const { frames, damages, interfaces } = readCapture(concat(sections), [11])
  assert.deepEqual(damages, [])
  assert.deepEqual(interfaces, ['if0', 'if1', 'if2'])
  assert.deepEqual(
    frames.map(({ bytes }) => bytes),
    FRAMES,
  )
})

test('PcapngReader: skips blocks without packets', () => {
  const b = new PcapngBlocks()
  const file = concat([
    b.section(),
    b.block(4, new Uint8Array(40)),
    b.interface(1),
    b.block(10, text('CLIENT_RANDOM secret')),
    b.block(0xbad, new Uint8Array(2_000_000)),
    b.enhanced(0, START, FRAMES[0]),
    b.block(5, new Uint8Array(30)),
    b.block(0x7fffffff, new Uint8Array(0)),
  ])
  const { frames, damages } = readCapture(file, [100_000])
  assert.deepEqual([frames.length, damages.length], [1, 0])
})

/** if_tsresol, if_tsoffset, the timestamp, and the expected microseconds. */
const TIMES: [resolution: number, offset: bigint, time: bigint, micros: number][] = [
  [0, 0n, START, START_SECONDS * 1e6],
  [3, 0n, START * 1000n + 7n, START_SECONDS * 1e6 + 7000],
  [6, 0n, START * 1_000_000n + 123456n, START_SECONDS * 1e6 + 123456],
  [7, 0n, START * 10_000_000n + 1_234_569n, START_SECONDS * 1e6 + 123456],
  [9, 0n, START * 1_000_000_000n + 999_999_999n, START_SECONDS * 1e6 + 999_999],
  [12, 0n, 1_234_567_890_123_456_789n, 1_234_567_890_123],
  [15, 0n, 9_876_543_210_123_456_789n, 9_876_543_210],
  [127, 0n, 5n, 0],
  [0x80 | 0, 0n, START, START_SECONDS * 1e6],
  [0x80 | 10, 0n, START * 1024n + 512n, START_SECONDS * 1e6 + 500_000],
  [0x80 | 20, 0n, START * 1048576n + 1048575n, START_SECONDS * 1e6 + 999_999],
  [0x80 | 32, 0n, (START << 32n) + 0xffffffffn, START_SECONDS * 1e6 + 999_999],
  [0x80 | 33, 0n, (START << 33n) + (1n << 32n), START_SECONDS * 1e6 + 500_000],
  [6, START, 5n, START_SECONDS * 1e6 + 5],
  [6, -10n, START * 1_000_000n, (START_SECONDS - 10) * 1e6],
  [6, -START - 1n, START * 1_000_000n, 0],
  [0, 0n, 0xffffffffffffffffn, Number.MAX_SAFE_INTEGER],
]

for (const [resolution, offset, time, micros] of TIMES) {
  test(`PcapngReader: time ${time} at resolution 0x${resolution.toString(16)} with offset ${offset}`, () => {
    for (const little of [true, false]) {
      const b = new PcapngBlocks(little)
      const options: [number, Uint8Array][] = [
        [RESOLUTION, Uint8Array.of(resolution)],
        [OFFSET, new Layer(little).int(offset, 8).done()],
      ]
      const { frames } = readCapture(concat([b.section(), b.interface(1, 0, options), b.enhanced(0, time, FRAMES[0])]))
      assert.equal(frames[0].micros, micros)
    }
  })
}

test('PcapngReader: decimal times are exact, compared with BigInt arithmetic', () => {
  const b = new PcapngBlocks()
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.integer({ min: 7, max: 12 }), (time, digits) => {
      const options: [number, Uint8Array][] = [[RESOLUTION, Uint8Array.of(digits)]]
      const { frames } = readCapture(concat([b.section(), b.interface(1, 0, options), b.enhanced(0, time, FRAMES[0])]))
      const micros = time / 10n ** BigInt(digits - 6)
      const limit = BigInt(Number.MAX_SAFE_INTEGER)
      assert.equal(BigInt(frames[0].micros), micros > limit ? limit : micros)
    }),
  )
})

const b = new PcapngBlocks()
const PARTS = [
  b.section(),
  b.interface(1),
  ...Array.from({ length: 12 }, (_, i) => b.enhanced(0, START + BigInt(i), tcpFrame(20 + i, [i, 80]))),
]
const FILE = concat(PARTS)
const STARTS = PARTS.map((_, i) => concat(PARTS.slice(0, i)).length)

test('PcapngReader: any split of the input yields the same frames', () => {
  const whole = readCapture(FILE)
  assert.equal(whole.frames.length, 12)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 5 }), (chunks) => {
      assert.deepEqual(readCapture(FILE, chunks), whole)
    }),
  )
})

test('PcapngReader: truncated anywhere, all complete blocks are read and the damage is reported at the start of the block', () => {
  for (let length = 1; length < FILE.length; length++) {
    const { frames, damages } = readCapture(FILE.subarray(0, length), [61])
    const whole = STARTS.filter((_, i) => i >= 2 && (STARTS[i + 1] ?? FILE.length) <= length).length
    assert.equal(frames.length, whole)
    if (STARTS.includes(length)) assert.deepEqual(damages, [])
    else {
      assert.equal(damages.length, 1)
      assert.match(damages[0].reason, /truncated/)
      assert.equal(damages[0].offset, length < 4 ? 0 : STARTS.findLast((start) => start <= length))
    }
  }
})

/** Damage to the fifth packet's block at `at`, and the reported reason. */
const DAMAGES: [name: string, damage: (view: DataView, at: number, length: number) => void, reason: RegExp][] = [
  ['a length that is too large', (view, at) => view.setUint32(at + 4, 0x7fffffff, true), /claims 2147483647 bytes/],
  ['a length that is too small', (view, at) => view.setUint32(at + 4, 8, true), /claims 8 bytes/],
  ['lengths that differ', (view, at, length) => view.setUint32(at + length - 4, 4, true), /two lengths differ/],
  ['a packet longer than its block', (view, at) => view.setUint32(at + 20, 5000, true), /more than its block has/],
  ['an interface that is not described', (view, at) => view.setUint32(at + 8, 3, true), /interface 3/],
  ['a section header without byte order', (view, at) => view.setUint32(at, 0x0a0d0d0a, true), /no byte-order mark/],
]

for (const [name, damage, reason] of DAMAGES) {
  test(`PcapngReader: resumes after a damaged block: ${name}`, () => {
    const file = FILE.slice()
    damage(new DataView(file.buffer), STARTS[6], PARTS[6].length)
    const { frames, damages } = readCapture(file, [200])
    assert.equal(frames.length, 11)
    assert.equal(damages.length, 1)
    assert.match(damages[0].reason, reason)
    assert.equal(damages[0].offset, STARTS[6])
  })
}

test('PcapngReader: finds a section of the other byte order after damage', () => {
  const big = new PcapngBlocks(false)
  const second = concat([big.section(), big.interface(1), big.enhanced(0, START, FRAMES[0])])
  const { frames, damages } = readCapture(concat([FILE, new Uint8Array(77).fill(0xee), second]))
  assert.deepEqual([frames.length, damages.length], [13, 1])
})

test('PcapngReader: reads a block whose length is not a multiple of 4', () => {
  const bytes = tcpFrame(1)
  const odd = new Layer(true)
    .int(6, 4)
    .int(32 + bytes.length, 4)
    .int(0, 4)
    .int(0, 4)
    .int(5, 4)
  odd
    .int(bytes.length, 4)
    .int(bytes.length, 4)
    .raw(bytes)
    .pad()
    .int(32 + bytes.length, 4)
  const { frames, damages } = readCapture(concat([b.section(), b.interface(1), odd.done(), b.enhanced(0, 6n, bytes)]))
  assert.deepEqual([frames.length, damages.length], [2, 0])
})

test('PcapngReader: stops reading a file that is damaged everywhere', () => {
  const packets = Array.from({ length: 100 }, () => b.enhanced(9, START, FRAMES[0]))
  const { frames, damages } = readCapture(concat([b.section(), b.interface(1), ...packets]))
  assert.deepEqual([frames.length, damages.length], [0, 16])
})

test('PcapngReader: after damage, reads further in large steps however many long blocks seem to begin', () => {
  const b = new PcapngBlocks()
  const candidate = new Layer(true)
    .int(6, 4)
    .int(1024 * 1024, 4)
    .done()
  const noise = new Uint8Array(3 * 1024 * 1024)
  for (let at = 0; at < noise.length; at += candidate.length) noise.set(candidate, at)
  const file = Buffer.concat([b.section(), b.interface(1), new Uint8Array(16).fill(255), noise])
  const sink = new RememberingSink()
  const reader = new FileReader({ sink, interfaceId: () => 0, damage: () => true })
  const { window } = reader
  let reads = 0
  const prepare = window.prepare.bind(window)
  window.prepare = () => {
    reads++
    return prepare()
  }
  reader.push(file)
  reader.end()
  assert.ok(reads < 200, `${reads} reads`)
})

test('PcapngReader: reports and skips a section of an unknown version', () => {
  const body = [b.interface(1), b.enhanced(0, START, FRAMES[0])]
  const { frames, damages } = readCapture(concat([b.section(2), ...body, b.section(1), ...body]))
  assert.deepEqual([frames.length, damages.length], [1, 1])
  assert.match(damages[0].reason, /version 2/)
})

test('PcapngReader: mutated files never throw, and frames stay within the file', () => {
  const mutation = fc.record({
    at: fc.nat(FILE.length - 1),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }),
    cut: fc.nat(300),
    chunk: fc.integer({ min: 1, max: 700 }),
  })
  fc.assert(
    fc.property(mutation, ({ at, bytes, cut, chunk }) => {
      const file = FILE.slice()
      file.set(bytes.subarray(0, file.length - at), at)
      const { frames } = readCapture(file.subarray(0, file.length - cut), [chunk])
      let total = 0
      for (const frame of frames) total += frame.bytes.length
      assert.ok(total <= file.length)
    }),
    { numRuns: 500 },
  )
})
