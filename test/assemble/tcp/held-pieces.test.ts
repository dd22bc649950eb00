import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TcpProgram } from './tcp-program.ts'

const INPUT_BYTES = 8192
const POOL_BYTES = 64 * 1024
const STREAMS = 2
const NO_PIECE = 0

/** A program with an input of distinct bytes. */
function make(): TcpProgram {
  const tcp = new TcpProgram({}, { poolBytes: POOL_BYTES, flows: 16 })
  for (let i = 0; i < INPUT_BYTES; i++) tcp.bytes[tcp.input + i] = (i * 7) & 0xff
  return tcp
}

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

function contentOf({ exports: pieces, bytes }: TcpProgram, { piece, length }: Piece): Buffer {
  const parts: Buffer[] = []
  let cell = piece
  for (let left = length; left > 0; cell = pieces.nextCell(cell)) {
    const at = pieces.bytesOf(piece, cell)
    const count = pieces.bytesIn(piece, cell, left)
    parts.push(Buffer.from(bytes.subarray(at, at + count)))
    left -= count
  }
  return Buffer.concat(parts)
}

/**
 * Asserts that a stream's pieces equal the model's, in order of sequence numbers, with their bytes, and that
 * `floorPiece` finds each.
 */
function assertStream(tcp: TcpProgram, stream: number, base: number, expected: readonly Piece[]): void {
  const { exports: pieces, bytes, input } = tcp
  const found: number[] = []
  for (let piece = pieces.heldOf(stream); piece !== NO_PIECE; piece = pieces.nextOf(piece)) found.push(piece)
  assert.deepEqual(
    found,
    expected.map(({ piece }) => piece),
  )
  assert.deepEqual(
    [pieces.heldPiecesOf(stream), pieces.heldBytesOf(stream)],
    [expected.length, expected.reduce((sum, { length }) => sum + length, 0)],
  )
  for (const [i, one] of expected.entries()) {
    assert.equal((pieces.seqOf(one.piece) - base) | 0, one.seq)
    assert.equal((pieces.endSeq(one.piece) - base) | 0, one.seq + one.length)
    assert.equal(pieces.heldSinceOf(one.piece), one.clock)
    const sent = bytes.subarray(input + one.from, input + one.from + one.length)
    assert.ok(contentOf(tcp, one).equals(sent), 'its bytes')
    const before = expected[i - 1]?.piece ?? NO_PIECE
    assert.equal(pieces.floorPiece(stream, (base + one.seq - 1) | 0), before)
    assert.equal(pieces.floorPiece(stream, (base + one.seq) | 0), one.piece)
  }
}

test('held pieces: agree with a sorted list for each stream after any additions and removals', () => {
  fc.assert(
    fc.property(steps, fc.integer(), (all, base) => {
      const tcp = make()
      const { exports: pieces } = tcp
      const streams = Array.from({ length: STREAMS }, () => pieces.newRareState())
      let model: Piece[] = []
      const of = (stream: number): Piece[] =>
        model.filter((piece) => piece.stream === stream).sort((a, b) => a.seq - b.seq)
      for (const [clock, step] of all.entries()) {
        if ('add' in step) {
          const { stream, add: seq, length } = step
          const known = of(stream)
          if (known.some((other) => other.seq < seq + length && seq < other.seq + other.length)) continue
          const from = seq % (INPUT_BYTES - length)
          const at = tcp.input + from
          const previous = pieces.floorPiece(streams[stream], (base + seq) | 0)
          const piece = pieces.addPiece(streams[stream], previous, at, at + length, (base + seq) | 0, 0, clock, clock)
          if (piece !== NO_PIECE) model.push({ piece, stream, seq, from, length, clock })
          else assert.ok(pieces.usedBytes() > POOL_BYTES / 4, 'there is room')
        } else {
          const stream = 'clear' in step ? step.clear : step.removeFirst
          const removed = 'clear' in step ? of(stream) : of(stream).slice(0, 1)
          if ('clear' in step) pieces.clearPieces(streams[stream])
          else if (removed.length > 0) pieces.removeFirst(streams[stream])
          model = model.filter((piece) => !removed.includes(piece))
        }
        assert.equal(pieces.oldestPiece(), model[0]?.piece ?? NO_PIECE, 'the one that was added first')
      }
      for (const [index, stream] of streams.entries()) assertStream(tcp, stream, base, of(index))
      for (const stream of streams) pieces.clearPieces(stream)
      assert.deepEqual([pieces.oldestPiece(), pieces.usedBytes()], [NO_PIECE, 0])
      tcp.recycle()
    }),
    { numRuns: 200 },
  )
})

test('held pieces: a lookup visits few pieces, whatever the order of arrival', () => {
  const { exports: pieces, input } = make()
  const stream = pieces.newRareState()
  for (let seq = 0; seq < 500; seq++) {
    pieces.addPiece(stream, pieces.floorPiece(stream, 2 * seq), input, input + 1, 2 * seq, 0, 0, 0)
  }
  const before = pieces.pieceVisits()
  for (let seq = 0; seq < 500; seq++) pieces.floorPiece(stream, 2 * seq)
  assert.ok(pieces.pieceVisits() - before < 500 * 40, `${pieces.pieceVisits() - before} visits`)
})
