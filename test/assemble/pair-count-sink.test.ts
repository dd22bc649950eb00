import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PairCountSink } from '../../src/assemble/pair-count-sink.ts'
import { PairRingRoom } from '../../src/assemble/pair-ring-room.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { CONNECTION_AT, LENGTH_AT, MICROS_AT, PAIR_FIELDS_BYTES, PAIR_LENGTH_AT } from '../../src/ring/layout.ts'
import { Control } from '../../src/thread/control.ts'

const RING_BYTES = 4096
const PAIRS = 300

test('pair count sink: the shipper finds each pair’s fields and length, and none that had no room', () => {
  const bytes = new Uint8Array(PAIRS * PAIR_FIELDS_BYTES)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < PAIRS; i += 1) {
    const at = i * PAIR_FIELDS_BYTES
    view.setInt32(at + LENGTH_AT, PAIR_FIELDS_BYTES, true)
    view.setInt32(at + CONNECTION_AT, i + 1, true)
    view.setFloat64(at + MICROS_AT, i + 0.5, true)
    view.setInt32(at + PAIR_LENGTH_AT, 1000 + i, true)
  }
  const shared = allocateRing(RING_BYTES)
  const bell = new Doorbell(Doorbell.allocate())
  const ring = new RingProducer(shared, bell)
  const sink = new PairCountSink({ bytes }, new PairRingRoom(ring, 'drop', bell, new Control(Control.allocate())))
  const fit = RING_BYTES / PAIR_FIELDS_BYTES
  assert.equal(sink.emit(0, bytes.length), fit * PAIR_FIELDS_BYTES)
  ring.flush()
  const consumer = new RingConsumer(shared, null)
  const block = new Uint8Array(RING_BYTES)
  assert.equal(consumer.peek(block, RING_BYTES), fit * PAIR_FIELDS_BYTES)
  assert.deepEqual(block, bytes.subarray(0, RING_BYTES))
})
