/** Streams whose bytes seem to be lost, against a list of when each suspicion began. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Flow, type Stream } from '../../../src/assemble/tcp/flow.ts'
import { Suspicions } from '../../../src/assemble/tcp/suspicions.ts'

const MILLISECOND = 1_000
const FLOWS = 3

interface Suspected {
  stream: Stream
  sinceMicros: number
  segments: number
}

test('suspicions: a loss is believed after 4 segments and 1 ms, or after 50 ms, and the oldest comes first', () => {
  const step = fc.record({
    flow: fc.nat(FLOWS - 1),
    direction: fc.constantFrom(0 as const, 1 as const),
    kind: fc.constantFrom('seems lost', 'seems lost', 'captured'),
    segments: fc.nat(3),
    micros: fc.constantFrom(0, 500, MILLISECOND, 10 * MILLISECOND, 50 * MILLISECOND, -5 * MILLISECOND),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
      const suspicions = new Suspicions()
      const flows = Array.from({ length: FLOWS }, (_, slot) => new Flow(slot))
      let model: Suspected[] = []
      let clock = 1_000_000
      for (const { flow: index, direction, kind, segments, micros } of steps) {
        const flow = flows[index]
        const stream = flow.streams[direction]
        clock += micros
        flow.segments += segments
        const known = model.find((one) => one.stream === stream)
        const since = clock - (known?.sinceMicros ?? clock)
        if (kind === 'captured') {
          suspicions.clear(stream)
          model = model.filter((one) => one !== known)
        } else {
          const isLong = since >= 50 * MILLISECOND
          const isFollowed = since >= MILLISECOND && flow.segments - (known?.segments ?? 0) >= 4
          assert.equal(suspicions.isBelieved(flow, stream, clock), known !== undefined && (isLong || isFollowed))
          // The clock of a file may be set back: what began later than now begins again.
          if (known === undefined || since < 0) {
            model = model.filter((one) => one !== known)
            model.push({ stream, sinceMicros: clock, segments: flow.segments })
          }
        }
        assert.equal(suspicions.oldest, model.at(0)?.stream ?? null)
        assert.equal(
          stream.suspected,
          model.some((one) => one.stream === stream),
        )
        const oldest = model.at(0)
        const isOverdue = oldest !== undefined && Math.abs(clock - oldest.sinceMicros) >= 50 * MILLISECOND
        assert.equal(suspicions.overdue(clock), isOverdue ? oldest.stream : null)
      }
      // What is left comes out in order.
      for (const { stream } of model) {
        assert.equal(suspicions.oldest, stream)
        suspicions.clear(stream)
      }
      assert.equal(suspicions.oldest, null)
    }),
  )
})

test('suspicions: covers the lost bytes that were acknowledged when it began', () => {
  const suspicions = new Suspicions()
  const flow = new Flow(0)
  const [stream] = flow.streams
  stream.nextSeq = -50
  stream.acked = 50
  suspicions.isBelieved(flow, stream, 0)
  stream.acked = 1000
  assert.equal(suspicions.covered(stream, 30), 30)
  assert.equal(suspicions.covered(stream, 500), 100)
  stream.nextSeq = 60
  assert.equal(suspicions.covered(stream, 500), 0)
})
