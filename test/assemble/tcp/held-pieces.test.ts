import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Arena } from '../../../src/assemble/memory/arena.ts'
import { CellPool } from '../../../src/assemble/memory/cell-pool.ts'
import { Stream } from '../../../src/assemble/tcp/flow.ts'
import { HeldPieces, NO_PIECE } from '../../../src/assemble/tcp/held-pieces.ts'

const INPUT_BYTES = 8192
const POOL_BYTES = 64 * 1024
const STREAMS = 2
const arena = new Arena(INPUT_BYTES, 0, 0, POOL_BYTES)
for (let i = 0; i < INPUT_BYTES; i++) arena.bytes[arena.input + i] = (i * 7) & 0xff

/** The same piece as an object. `seq` counts from the stream's first number, so that it never wraps. */
interface Piece {
  piece: number
  stream: number
  seq: number
  from: number
  length: number
  clock: number
}

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        stream: fc.nat(STREAMS - 1),
        add: fc.nat(30_000),
        length: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 5000 })),
      }),
    },
    { weight: 2, arbitrary: fc.record({ removeFirst: fc.nat(STREAMS - 1) }) },
    { weight: 1, arbitrary: fc.record({ clear: fc.nat(STREAMS - 1) }) },
  ),
  { maxLength: 120, size: 'max' },
)

function contentOf(pieces: HeldPieces, { piece, length }: Piece): Buffer {
  const parts: Buffer[] = []
  for (let cell = piece, left = length; left > 0; left -= pieces.bytesLength) {
    cell = pieces.bytes(piece, cell, left)
    parts.push(Buffer.from(arena.bytes.subarray(pieces.bytesAt, pieces.bytesAt + pieces.bytesLength)))
  }
  return Buffer.concat(parts)
}

/** A stream's pieces are those of the model, in order of sequence numbers, with their bytes; `floor` finds each. */
function assertStream(pieces: HeldPieces, stream: Stream, base: number, expected: readonly Piece[]): void {
  const found: number[] = []
  for (let piece = stream.held; piece !== NO_PIECE; piece = pieces.next(piece)) found.push(piece)
  assert.deepEqual(
    found,
    expected.map(({ piece }) => piece),
  )
  assert.deepEqual(
    [stream.rare.heldPieces, stream.rare.heldBytes],
    [expected.length, expected.reduce((sum, { length }) => sum + length, 0)],
  )
  for (const [i, one] of expected.entries()) {
    assert.equal((pieces.seq(one.piece) - base) | 0, one.seq)
    assert.equal((pieces.endSeq(one.piece) - base) | 0, one.seq + one.length)
    assert.equal(pieces.heldSince(one.piece), one.clock)
    const sent = arena.bytes.subarray(arena.input + one.from, arena.input + one.from + one.length)
    assert.ok(contentOf(pieces, one).equals(sent), 'its bytes')
    const before = expected[i - 1]?.piece ?? NO_PIECE
    assert.equal(pieces.floor(stream, (base + one.seq - 1) | 0), before)
    assert.equal(pieces.floor(stream, (base + one.seq) | 0), one.piece)
  }
}

test('held pieces: are what a sorted list of each stream holds, under any additions and removals', () => {
  fc.assert(
    fc.property(steps, fc.integer(), (all, base) => {
      const pool = new CellPool(arena)
      const pieces = new HeldPieces(arena, pool)
      const streams = Array.from({ length: STREAMS }, () => new Stream())
      let model: Piece[] = []
      const of = (stream: number): Piece[] =>
        model.filter((piece) => piece.stream === stream).sort((a, b) => a.seq - b.seq)
      for (const [clock, step] of all.entries()) {
        if ('add' in step) {
          const { stream, add: seq, length } = step
          const known = of(stream)
          if (known.some((other) => other.seq < seq + length && seq < other.seq + other.length)) continue
          const from = seq % (INPUT_BYTES - length)
          const at = arena.input + from
          const previous = pieces.floor(streams[stream], (base + seq) | 0)
          const piece = pieces.add(streams[stream], previous, at, at + length, (base + seq) | 0, 0, clock, clock)
          if (piece !== NO_PIECE) model.push({ piece, stream, seq, from, length, clock })
          else assert.ok(pool.usedBytes > POOL_BYTES / 4, 'there is room')
        } else {
          const stream = 'clear' in step ? step.clear : step.removeFirst
          const removed = 'clear' in step ? of(stream) : of(stream).slice(0, 1)
          if ('clear' in step) pieces.clear(streams[stream])
          else if (removed.length > 0) pieces.removeFirst(streams[stream])
          model = model.filter((piece) => !removed.includes(piece))
        }
        assert.equal(pieces.oldest, model[0]?.piece ?? NO_PIECE, 'the one that was added first')
      }
      for (const [index, stream] of streams.entries()) assertStream(pieces, stream, base, of(index))
      for (const stream of streams) pieces.clear(stream)
      assert.deepEqual([pieces.oldest, pool.usedBytes], [NO_PIECE, 0])
    }),
    { numRuns: 200 },
  )
})

test('held pieces: a lookup visits few of them, whatever the order of arrival', () => {
  const pieces = new HeldPieces(arena, new CellPool(arena))
  const stream = new Stream()
  for (let seq = 0; seq < 500; seq++) {
    pieces.add(stream, pieces.floor(stream, 2 * seq), arena.input, arena.input + 1, 2 * seq, 0, 0, 0)
  }
  const before = pieces.visits
  for (let seq = 0; seq < 500; seq++) pieces.floor(stream, 2 * seq)
  assert.ok(pieces.visits - before < 500 * 40, `${pieces.visits - before} visits`)
})
