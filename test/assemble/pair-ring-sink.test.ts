import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PairRingRoom } from '../../src/assemble/pair-ring-room.ts'
import { PairRingSink } from '../../src/assemble/pair-ring-sink.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { ARRIVAL_AT, LENGTH_AT } from '../../src/ring/layout.ts'
import { COMMAND_STOP, Control } from '../../src/thread/control.ts'

const RING_BYTES = 256 * 1024
const HEAD_BYTES = 32

/** A sink, its ring, and records of these sizes in its memory. */
function make(sizes: readonly number[], whenFull: 'wait' | 'drop' = 'drop') {
  const bytes = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0))
  const view = new DataView(bytes.buffer)
  const starts: number[] = []
  let end = 0
  for (const [i, size] of sizes.entries()) {
    starts.push(end)
    view.setInt32(end + LENGTH_AT, size, true)
    view.setInt32(end + ARRIVAL_AT, 7, true)
    bytes.fill(i + 1, end + HEAD_BYTES, end + size)
    end += size
  }
  const shared = allocateRing(RING_BYTES)
  const bell = new Doorbell(Doorbell.allocate())
  const control = new Control(Control.allocate())
  const ring = new RingProducer(shared, bell)
  const sink = new PairRingSink({ bytes, view }, new PairRingRoom(ring, whenFull, bell, control))
  return { sink, ring, control, starts, end, consumer: new RingConsumer(shared, null) }
}

/** The records in the ring: length, word at ARRIVAL_AT, and fill byte. */
function drain({ ring, consumer }: ReturnType<typeof make>): number[][] {
  ring.flush()
  const found: number[][] = []
  const block = new Uint8Array(RING_BYTES)
  const view = new DataView(block.buffer)
  for (let count = consumer.peek(block, RING_BYTES); count > 0; count = consumer.peek(block, RING_BYTES)) {
    let at = 0
    while (at < count) {
      const size = view.getInt32(at + LENGTH_AT, true)
      // Padding before the wrap has a negative length.
      if (size > 0) found.push([size, view.getInt32(at + ARRIVAL_AT, true), block[at + size - 1]])
      at += Math.abs(size)
    }
    consumer.release(count)
  }
  return found
}

test('pair ring sink: records arrive whole and in order, however many are copied at once', () => {
  const sizes = [48, 40_000, 64, 30_000, 8192, 100_000, 40, 40]
  const made = make(sizes)
  assert.equal(made.sink.emit(0, made.end), made.end)
  const expected = sizes.map((size, i) => [size, 0, i + 1])
  assert.deepEqual(drain(made), expected)
  // This record wraps.
  for (let round = 0; round < 5; round++) {
    assert.equal(made.sink.emit(0, made.end), made.end)
    assert.deepEqual(drain(made), expected)
  }
})

test('pair ring sink: drops only records that do not fit into a full ring, and reports them', () => {
  const made = make([...Array.from({ length: 10 }, () => 25_000), 5000, 20_000, 120])
  const { sink, starts, end } = made
  assert.equal(sink.emit(0, end), starts[11])
  assert.equal(sink.emit(starts[12], end), end)
  assert.deepEqual(
    drain(made).map(([size, , fill]) => [size, fill]),
    [...Array.from({ length: 10 }, (_, i) => [25_000, i + 1]), [5000, 11], [120, 13]],
  )
})

test('pair ring sink: drops a record that can never fit, and none before or after it', () => {
  const made = make([100 * 8, RING_BYTES, 200 * 8])
  assert.equal(made.sink.emit(0, made.end), made.starts[1])
  assert.equal(made.sink.emit(made.starts[2], made.end), made.end)
  assert.deepEqual(
    drain(made).map(([size]) => size),
    [800, 1600],
  )
})

test('pair ring sink: waits for a full ring if configured, until the command to stop', () => {
  const made = make(
    Array.from({ length: 20 }, () => 20_000),
    'wait',
  )
  made.control.command = COMMAND_STOP
  const lost = made.sink.emit(0, made.end)
  assert.ok(lost > 10 * 20_000 && lost < made.end)
  assert.equal(drain(made).length, lost / 20_000)
})
