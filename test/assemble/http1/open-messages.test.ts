/** Messages in progress, by the time of their last segment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HttpConnection, type MessageStream } from '../../../src/assemble/http1/connection.ts'
import { OpenMessages } from '../../../src/assemble/http1/open-messages.ts'
import { HEAD, HEAD_PART, SEEK } from '../../../src/assemble/http1/stream-states.ts'
import { CLOCK_STEP_MICROS, PacketTime } from '../../../src/assemble/packet-time.ts'

const PAUSE = 1000

/** A stream in whose head the pool holds this many bytes; 0: it is between messages. */
function hold(stream: MessageStream, bytes: number): void {
  stream.state = bytes === 0 ? HEAD : HEAD_PART
  stream.partial.chain.length = bytes
}

test('open messages: the one without a segment for longest is the oldest, as in a list that is sorted', () => {
  const steps = fc.array(fc.record({ stream: fc.nat(5), bytes: fc.nat(3), removed: fc.boolean() }), {
    maxLength: 60,
    size: 'max',
  })
  fc.assert(
    fc.property(steps, (all) => {
      const time = new PacketTime()
      const open = new OpenMessages(time, PAUSE)
      const streams = Array.from({ length: 6 }, () => new HttpConnection().responses)
      let model: { stream: MessageStream; bytes: number }[] = []
      for (const { stream: index, bytes, removed } of all) {
        time.clock = ++time.micros
        const stream = streams[index]
        model = model.filter((entry) => entry.stream !== stream)
        if (removed) open.remove(stream)
        else {
          hold(stream, bytes)
          open.note(stream)
          if (bytes > 0) model.push({ stream, bytes })
        }
        assert.equal(open.oldest, model.at(0)?.stream ?? null)
        assert.equal(
          open.bytes,
          model.reduce((sum, entry) => sum + entry.bytes, 0),
        )
      }
    }),
  )
})

test('open messages: a message is overdue once no segment of it came for too long', () => {
  const time = new PacketTime()
  const open = new OpenMessages(time, PAUSE)
  const { requests, responses } = new HttpConnection()
  hold(requests, 10)
  hold(responses, 10)
  open.note(requests)
  time.clock = time.micros = PAUSE
  open.note(responses)
  assert.equal(open.overdue, null)
  time.clock = time.micros = PAUSE + 1
  assert.equal(open.overdue, requests)
  open.note(requests)
  assert.equal(open.overdue, null)
})

test('open messages: a stray timestamp of a segment does not make its message stay for ever', () => {
  const time = new PacketTime()
  const open = new OpenMessages(time, PAUSE)
  const { requests } = new HttpConnection()
  hold(requests, 10)
  time.micros = 100 * CLOCK_STEP_MICROS
  open.note(requests)
  time.micros = 1
  assert.equal(open.overdue, null)
  time.clock = time.micros = PAUSE + 2
  assert.equal(open.overdue, requests)
})

test('open messages: a stream that has lost its place holds nothing', () => {
  const open = new OpenMessages(new PacketTime(), PAUSE)
  const { requests } = new HttpConnection()
  hold(requests, 10)
  open.note(requests)
  requests.state = SEEK
  open.note(requests)
  assert.equal(open.oldest, null)
  assert.equal(open.bytes, 0)
})
