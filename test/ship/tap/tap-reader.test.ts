import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { READER_BYTES, TapReader } from '../../../src/ship/tap/tap-reader.ts'
import { PROTOCOL, TapFrames } from '../../../src/tap/frames.ts'
import { propertyRuns } from '../../support/property-runs.ts'

/** A socket whose other end reads only when it is asked to. */
class SlowSocket extends Writable {
  /** What has arrived at the other end: pairs by number, and gaps by number of pairs. */
  readonly seen: ({ pair: number } | { notShown: number })[] = []
  readonly #frames = new TapFrames()
  #next: (() => void) | null = null

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#frames.push(Buffer.from(chunk))
    this.#next = done
  }

  destroySoon(): void {}

  /** Reads up to `writes` of what was written. */
  async read(writes: number): Promise<void> {
    for (let count = 0; count < writes && this.#next !== null; count += 1) {
      const next = this.#next
      this.#next = null
      next()
      await new Promise((resolve) => process.nextTick(resolve))
    }
    for (let frame = this.#frames.next(); frame !== null; frame = this.#frames.next()) {
      assert.ok(!(frame instanceof Error))
      if (frame.kind === 'pair') this.seen.push({ pair: Buffer.from(frame.bytes).readUInt32BE(1) })
      else if (frame.kind === 'notShown') this.seen.push({ notShown: frame.pairs })
      else assert.equal(frame.text, PROTOCOL)
    }
  }
}

/** A value that begins like a map, in place of a pair. */
function pairOf(number: number, length: number): Buffer {
  const bytes = Buffer.alloc(Math.max(5, length), 0x80)
  bytes.writeUInt32BE(number, 1)
  return bytes
}

type Step = { do: 'add'; pairs: number; length: number } | { do: 'flush' } | { do: 'read'; writes: number }

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('add' as const),
    pairs: fc.integer({ min: 1, max: 40 }),
    length: fc.oneof(fc.nat(2_000), fc.nat(100_000), fc.nat(READER_BYTES + 10)),
  }),
  fc.constant({ do: 'flush' as const }),
  fc.record({ do: fc.constant('read' as const), writes: fc.nat(60) }),
)

test('tap reader: model: sends pairs in order, within its bound, and counts exactly the omitted ones', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { maxLength: 40 }), async (list) => {
      const socket = new SlowSocket()
      const reader = new TapReader(socket)
      let number = 0
      let refused = 0
      for (const step of list) {
        if (step.do === 'add') {
          for (let count = 0; count < step.pairs; count += 1) {
            const pair = pairOf(number, step.length)
            if (!reader.add(pair, 0, pair.length)) refused += 1
            number += 1
          }
        } else if (step.do === 'flush') reader.flush()
        else await socket.read(step.writes)
        assert.ok(socket.writableLength <= READER_BYTES, `${socket.writableLength} bytes wait`)
      }
      await socket.read(Number.POSITIVE_INFINITY)
      // Twice: after a pair that leaves no room for it, the count of the omitted ones has to wait until the pair is read.
      for (let flushes = 0; flushes < 2; flushes += 1) {
        reader.flush()
        await socket.read(Number.POSITIVE_INFINITY)
      }
      // Together, pairs and gaps cover every number once and in order.
      let next = 0
      let notShown = 0
      for (const entry of socket.seen) {
        if ('pair' in entry) assert.equal(entry.pair, next)
        else notShown += entry.notShown
        next += 'pair' in entry ? 1 : entry.notShown
      }
      assert.deepEqual([next, notShown], [number, refused])
    }),
    { numRuns: propertyRuns(120) },
  )
})

test('tap reader: a pair above the bound is counted, and the next one is shown', async () => {
  const socket = new SlowSocket()
  const reader = new TapReader(socket)
  const large = pairOf(0, READER_BYTES)
  assert.equal(reader.add(large, 0, large.length), false)
  const small = pairOf(1, 100)
  assert.equal(reader.add(small, 0, small.length), true)
  reader.flush()
  await socket.read(10)
  assert.deepEqual(socket.seen, [{ notShown: 1 }, { pair: 1 }])
})
