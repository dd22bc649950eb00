/** Records in an assembler's ring: they are read in the order of writing, and no control record is lost. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FrameStamp } from '../../../src/capture/frame-sink.ts'
import { FrameBytes } from '../../../src/capture/intake/frame-bytes.ts'
import { FrameRingWriter } from '../../../src/capture/intake/frame-ring-writer.ts'
import { PacketDecoder } from '../../../src/capture/wire/packet-decoder.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../../src/ledger/counters.ts'
import { ALL_TUNNELS } from '../../../src/net/tunnels.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../../src/ring/byte-ring.ts'
import { Doorbell } from '../../../src/ring/doorbell.ts'
import {
  END_OFFSET_AT,
  FLOW_HASH_AT,
  FRAME,
  FRAME_FIELDS_BYTES,
  INTERFACE,
  INTERFACE_GONE,
  INTERFACE_ID_AT,
  IP_OFFSET_AT,
  LENGTH_AT,
  MICROS_AT,
  TAG_AT,
  TCP_OFFSET_AT,
  TEXT_AT,
  TEXT_LENGTH_AT,
  TICK,
} from '../../../src/ring/layout.ts'

/** The smallest ring there is. */
const RING_BYTES = 4096

/** A record as it was written, or as the assembler reads it. */
interface Written {
  tag: number
  micros: number
  interfaceId: number
  bytes: string
  hash?: number
}

const digits = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => 48 + ((first + i) % 10))

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** Reads and releases whole records, at most `limit` bytes of them. */
function read(consumer: RingConsumer, limit: number): Written[] {
  const block = new Uint8Array(RING_BYTES)
  const view = new DataView(block.buffer)
  const records: Written[] = []
  const available = consumer.peek(block, limit)
  let at = 0
  while (at + TAG_AT + 4 <= available) {
    const length = view.getInt32(at + LENGTH_AT, true)
    if (at + Math.abs(length) > available) break
    if (length > 0) records.push(recordAt(block, view, at))
    at += Math.abs(length)
  }
  consumer.release(at)
  return records
}

function recordAt(block: Uint8Array, view: DataView, at: number): Written {
  const tag = view.getInt32(at + TAG_AT, true)
  const micros = view.getFloat64(at + MICROS_AT, true)
  const interfaceId = view.getInt32(at + INTERFACE_ID_AT, true)
  if (tag !== FRAME) {
    const end = at + TEXT_AT + view.getInt32(at + TEXT_LENGTH_AT, true)
    return { tag, micros, interfaceId, bytes: textOf(block.subarray(at + TEXT_AT, end)) }
  }
  const ip = at + view.getUint16(at + IP_OFFSET_AT, true)
  assert.equal(view.getUint16(at + TCP_OFFSET_AT, true) + at, ip + 20)
  const hash = view.getInt32(at + FLOW_HASH_AT, true)
  const end = at + view.getUint32(at + END_OFFSET_AT, true)
  return { tag, micros, interfaceId, hash, bytes: textOf(block.subarray(ip, end)) }
}

test('frame ring writer: model: the ring agrees with a list of records', () => {
  const frame = fc.record({
    kind: fc.constant('frame' as const),
    start: fc.nat(30),
    length: fc.integer({ min: 40, max: 600 }),
  })
  const control = fc.record({ kind: fc.constantFrom('interface' as const, 'gone' as const), length: fc.nat(200) })
  const step = fc.oneof(
    { weight: 4, arbitrary: frame },
    { weight: 2, arbitrary: control },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('tick' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('read' as const), length: fc.integer({ min: 8, max: 3000 }) }),
    },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const shared = allocateRing(RING_BYTES)
      const ring = new RingProducer(shared, new Doorbell(Doorbell.allocate()))
      const consumer = new RingConsumer(shared, null)
      const stamp = new FrameStamp()
      const counters = allocateCounters(CAPTURE_COUNTERS)
      const writer = new FrameRingWriter(ring, stamp, new FrameBytes(), null)
      const decoder = new PacketDecoder(ALL_TUNNELS)
      const expected: Written[] = []
      const seen: Written[] = []
      for (const [index, one] of steps.entries()) {
        stamp.micros = index
        if (one.kind === 'read') {
          seen.push(...read(consumer, one.length))
          continue
        }
        if (one.kind === 'tick') {
          if (writer.tryControl(TICK)) expected.push({ tag: TICK, micros: index, interfaceId: 0, bytes: '' })
        } else if (one.kind === 'frame') {
          const { start, length } = one
          // Waiting control records take precedence for the room.
          const room = writer.writeWaiting() && writer.hasRoom(FRAME_FIELDS_BYTES + 16 + length)
          const bytes = new Uint8Array(start + length + 8)
          bytes.set(digits(length, index), start)
          decoder.ipOffset = start
          decoder.tcpOffset = start + 20
          decoder.endOffset = start + length
          const isPut = writer.put(bytes, new DataView(bytes.buffer), start, decoder, index, 5, counters) > 0
          if (room) assert.ok(isPut, 'there was room')
          if (isPut) {
            expected.push({
              tag: FRAME,
              micros: index,
              interfaceId: 5,
              hash: index,
              bytes: textOf(digits(length, index)),
            })
          }
        } else {
          const tag = one.kind === 'gone' ? INTERFACE_GONE : INTERFACE
          const payload = digits(one.kind === 'gone' ? 0 : one.length, index)
          writer.control(tag, index, payload)
          expected.push({ tag, micros: index, interfaceId: index, bytes: textOf(payload) })
        }
        ring.flush()
        assert.ok(seen.length <= expected.length)
      }
      for (let isDone = false; !isDone || !consumer.empty; ) {
        isDone = writer.writeWaiting()
        ring.flush()
        seen.push(...read(consumer, RING_BYTES))
      }
      assert.deepEqual(seen, expected)
    }),
  )
})

test('frame ring writer: has no room for a frame as long as it has none for the control record before it', () => {
  const shared = allocateRing(RING_BYTES)
  const writer = new FrameRingWriter(
    new RingProducer(shared, new Doorbell(Doorbell.allocate())),
    new FrameStamp(),
    new FrameBytes(),
    null,
  )
  const consumer = new RingConsumer(shared, null)
  writer.control(INTERFACE, 0, digits(1500, 0))
  writer.control(INTERFACE, 1, digits(1500, 0))
  writer.control(INTERFACE, 2, digits(1500, 0))
  assert.equal(writer.writeWaiting(), false)
  assert.equal(writer.hasRoom(100), false)
  writer.flush()
  while (!writer.writeWaiting()) assert.equal(read(consumer, RING_BYTES).length > 0, true)
  writer.flush()
  read(consumer, RING_BYTES)
  assert.equal(writer.hasRoom(100), true)
})
