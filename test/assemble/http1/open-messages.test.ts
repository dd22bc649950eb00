/** Messages in progress, by the time of their last segment. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HEAD, HEAD_PART, Http1Program, SEEK } from './http1-program.ts'

const PAUSE = 1000
/** A step that the clock does not follow at once. */
const CLOCK_STEP_MICROS = 10_000_000
const NO_STREAM = 0
const program = new Http1Program()
const { exports: open } = program

/** A stream with this many bytes of a partial head in the pool; 0: it is between messages. */
function hold(stream: number, bytes: number): void {
  open.setState(stream, bytes === 0 ? HEAD : HEAD_PART)
  open.setPartialBytes(stream, bytes)
}

/** The streams of a new connection. */
function connect(): { requests: number; responses: number } {
  const connection = open.makeConnection()
  return { requests: open.requests(connection), responses: open.responses(connection) }
}

test('open messages: the oldest is the one without a segment for the longest time, as in a sorted list', () => {
  const steps = fc.array(fc.record({ stream: fc.nat(5), bytes: fc.nat(3), removed: fc.boolean() }), {
    maxLength: 60,
    size: 'max',
  })
  fc.assert(
    fc.property(steps, (all) => {
      program.begin()
      const streams = Array.from({ length: 6 }, () => connect().responses)
      let model: { stream: number; bytes: number }[] = []
      for (const [i, { stream: index, bytes, removed }] of all.entries()) {
        open.setTime(i + 1, i + 1)
        const stream = streams[index]
        model = model.filter((entry) => entry.stream !== stream)
        if (removed) open.forgetOpen(stream)
        else {
          hold(stream, bytes)
          open.noteOpen(stream)
          if (bytes > 0) model.push({ stream, bytes })
        }
        assert.equal(open.oldestOpen(), model.at(0)?.stream ?? NO_STREAM)
        assert.equal(
          open.openBytes(),
          model.reduce((sum, entry) => sum + entry.bytes, 0),
        )
      }
    }),
  )
})

test('open messages: a message is overdue once it has had no segment for too long', () => {
  program.begin()
  const { requests, responses } = connect()
  hold(requests, 10)
  hold(responses, 10)
  open.noteOpen(requests)
  open.setTime(PAUSE, PAUSE)
  open.noteOpen(responses)
  assert.equal(open.overdueOpen(PAUSE), NO_STREAM)
  open.setTime(PAUSE + 1, PAUSE + 1)
  assert.equal(open.overdueOpen(PAUSE), requests)
  open.noteOpen(requests)
  assert.equal(open.overdueOpen(PAUSE), NO_STREAM)
})

test('open messages: a segment with a stray timestamp does not keep its message open for ever', () => {
  program.begin()
  const { requests } = connect()
  hold(requests, 10)
  open.setTime(100 * CLOCK_STEP_MICROS, 0)
  open.noteOpen(requests)
  open.setTime(1, 0)
  assert.equal(open.overdueOpen(PAUSE), NO_STREAM)
  open.setTime(PAUSE + 2, PAUSE + 2)
  assert.equal(open.overdueOpen(PAUSE), requests)
})

test('open messages: a stream that is out of sync holds no memory', () => {
  program.begin()
  const { requests } = connect()
  hold(requests, 10)
  open.noteOpen(requests)
  open.setState(requests, SEEK)
  open.noteOpen(requests)
  assert.equal(open.oldestOpen(), NO_STREAM)
  assert.equal(open.openBytes(), 0)
})
