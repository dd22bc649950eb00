import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionCheck, OpaqueMarks } from '../../src/ring/opaque-marks.ts'
import { packet, tcp } from '../support/frames.ts'

const HASH = 0x12345678
const CHECK = 77

const table = (): OpaqueMarks => new OpaqueMarks(OpaqueMarks.allocate())

test('opaque marks: a connection is marked until its line of the table starts another generation', () => {
  const marks = table()
  assert.equal(marks.holds(HASH, CHECK), false)
  marks.mark(HASH, CHECK, marks.generation(HASH))
  assert.deepEqual([marks.mayHold(HASH), marks.holds(HASH, CHECK), marks.holds(HASH, CHECK + 1)], [true, true, false])
  marks.beginGeneration(HASH)
  assert.equal(marks.holds(HASH, CHECK), false)
})

test('opaque marks: a mark made at a record of an earlier generation is not valid', () => {
  const marks = table()
  const recorded = marks.generation(HASH)
  marks.beginGeneration(HASH)
  marks.mark(HASH, CHECK, recorded)
  assert.equal(marks.holds(HASH, CHECK), false)
  marks.mark(HASH, CHECK, marks.generation(HASH))
  assert.equal(marks.holds(HASH, CHECK), true)
})

test('opaque marks: two connections of one line replace each other', () => {
  const marks = table()
  const other = HASH ^ 0x40000000
  marks.mark(HASH, CHECK, 0)
  marks.mark(other, CHECK, 0)
  assert.deepEqual([marks.holds(HASH, CHECK), marks.holds(other, CHECK)], [false, true])
  assert.deepEqual([marks.isMarked(HASH, 0), marks.isMarked(other, 0), marks.isMarked(other, 1)], [false, true, false])
})

test('opaque marks: are removed individually, or all at once by a starting assembler', () => {
  const shared = OpaqueMarks.allocate()
  const marks = new OpaqueMarks(shared)
  const hashes = [HASH, HASH + 1, HASH + 2]
  for (const hash of hashes) marks.mark(hash, CHECK, 0)
  marks.erase(HASH)
  assert.deepEqual(
    hashes.map((hash) => marks.holds(hash, CHECK)),
    [false, true, true],
  )
  new OpaqueMarks(shared).clear()
  assert.ok(hashes.every((hash) => !marks.holds(hash, CHECK)))
})

const ENDS = {
  4: [
    [10, 0, 0, 1],
    [10, 0, 0, 2],
  ],
  6: [
    [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
  ],
} as const

for (const version of [4, 6] as const) {
  test(`connectionCheck: IPv${version}: is equal for both directions, and differs for other ports, interfaces and networks`, () => {
    const [a, b] = ENDS[version]
    const check = (isBack: boolean, ports: [number, number], interfaceId: number, network: number): number => {
      const [source, destination] = isBack ? [b, a] : [a, b]
      const [from, to] = isBack ? [ports[1], ports[0]] : ports
      const bytes = packet({ source: [...source], destination: [...destination], protocol: 6, payload: tcp(from, to) })
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      return connectionCheck(view, 0, version === 4 ? 20 : 40, interfaceId, network)
    }
    const usual = check(false, [5000, 443], 1, 0)
    assert.equal(check(true, [5000, 443], 1, 0), usual)
    const others = [check(false, [5001, 443], 1, 0), check(false, [5000, 443], 2, 0), check(false, [5000, 443], 1, 9)]
    assert.equal(new Set([usual, ...others, check(true, [443, 5000], 1, 0)]).size, 5)
  })
}
