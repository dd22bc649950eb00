/** Streams that are suspected of lost bytes, against a list of the start of each suspicion. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TcpProgram } from './tcp-program.ts'

const MILLISECOND = 1_000
const FLOWS = 3
const NO_FLOW = 0

interface Suspected {
  flow: number
  stream: number
  sinceMicros: number
  segments: number
}

test('suspicions: are confirmed after 4 segments and 1 ms, or after 50 ms, oldest first', () => {
  const step = fc.record({
    flow: fc.nat(FLOWS - 1),
    direction: fc.constantFrom(0 as const, 1 as const),
    kind: fc.constantFrom('seems lost', 'seems lost', 'captured'),
    segments: fc.nat(3),
    micros: fc.constantFrom(0, 500, MILLISECOND, 10 * MILLISECOND, 50 * MILLISECOND, -5 * MILLISECOND),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50, size: 'max' }), (steps) => {
      const program = new TcpProgram({}, { flows: FLOWS, poolBytes: 64 * 1024 })
      const { exports: suspicions } = program
      const flows = Array.from({ length: FLOWS }, () => ({ flow: suspicions.newFlow(), segments: 0 }))
      let model: Suspected[] = []
      let clock = 1_000_000
      for (const { flow: index, direction, kind, segments, micros } of steps) {
        const one = flows[index]
        const { flow } = one
        const stream = suspicions.streamOf(flow, direction)
        clock += micros
        one.segments += segments
        suspicions.addSegments(flow, segments)
        const known = model.find((other) => other.stream === stream)
        const since = clock - (known?.sinceMicros ?? clock)
        if (kind === 'captured') {
          suspicions.clearSuspicion(stream)
          model = model.filter((other) => other !== known)
        } else {
          const isLong = since >= 50 * MILLISECOND
          const isFollowed = since >= MILLISECOND && one.segments - (known?.segments ?? 0) >= 4
          const believed = suspicions.isBelieved(flow, direction, clock) !== 0
          assert.equal(believed, known !== undefined && (isLong || isFollowed))
          // A file's clock may be set back: suspicions that began after the new time start over.
          if (known === undefined || since < 0) {
            model = model.filter((other) => other !== known)
            model.push({ flow, stream, sinceMicros: clock, segments: one.segments })
          }
        }
        assert.equal(
          suspicions.isSuspected(stream) !== 0,
          model.some((other) => other.stream === stream),
        )
        const oldest = model.at(0)
        const isOverdue = oldest !== undefined && Math.abs(clock - oldest.sinceMicros) >= 50 * MILLISECOND
        assert.equal(suspicions.overdueSuspicion(clock), isOverdue ? oldest.flow : NO_FLOW)
      }
      // The remaining ones expire in order.
      const late = clock + 1000 * MILLISECOND
      for (const { flow, stream } of model) {
        assert.equal(suspicions.overdueSuspicion(late), flow)
        suspicions.clearSuspicion(stream)
      }
      assert.equal(suspicions.overdueSuspicion(late), NO_FLOW)
      program.recycle()
    }),
  )
})

test('suspicions: cover the lost bytes that were acknowledged when they began', () => {
  const { exports: suspicions } = new TcpProgram({})
  const flow = suspicions.newFlow()
  const stream = suspicions.streamOf(flow, 0)
  suspicions.setNextSeq(stream, -50)
  suspicions.setAcked(stream, 50)
  suspicions.isBelieved(flow, 0, 0)
  suspicions.setAcked(stream, 1000)
  assert.equal(suspicions.coveredBytes(stream, 30), 30)
  assert.equal(suspicions.coveredBytes(stream, 500), 100)
  suspicions.setNextSeq(stream, 60)
  assert.equal(suspicions.coveredBytes(stream, 500), 0)
})
