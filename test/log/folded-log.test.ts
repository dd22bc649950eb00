import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FoldedLog, type LogRecord } from '../../src/log/folded-log.ts'

const PERIOD_MS = 100

test('FoldedLog: model: written records and their counts sum to the logged ones, with one record per kind and period', () => {
  const step = fc.record({
    message: fc.constantFrom('unreachable', 'refused'),
    broker: fc.constantFrom('a', 'b'),
    attempt: fc.nat(),
    afterMs: fc.nat(60),
    flush: fc.constantFrom(false, false, false, true),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      let [nowMs, isFlush, logged] = [0, false, 0]
      const newest = new Map<string, number>()
      const log = new FoldedLog(
        ({ message, fields }: LogRecord) => {
          const repeated = (fields['repeated'] as number | undefined) ?? 0
          assert.equal(fields['alike'], undefined, 'so few kinds are all written')
          // A record that `flush` writes is the last one held back, and is in its own count.
          logged += isFlush ? repeated : repeated + 1
          if (isFlush) return
          const kind = `${message} ${fields['broker']}`
          assert.ok(nowMs - (newest.get(kind) ?? Number.NEGATIVE_INFINITY) >= PERIOD_MS, `${kind} at ${nowMs}`)
          newest.set(kind, nowMs)
        },
        { periodMs: PERIOD_MS, now: () => nowMs },
      )
      const flush = (): void => {
        isFlush = true
        log.flush()
        isFlush = false
      }
      for (const { message, broker, attempt, afterMs, flush: flushes } of steps) {
        nowMs += afterMs
        log.warn(message, { broker, attempt })
        if (flushes) flush()
      }
      flush()
      assert.equal(logged, steps.length)
    }),
  )
})

test('FoldedLog: writes 50 records of a message with varying texts per period, and counts the rest', () => {
  let nowMs = 0
  const written: LogRecord[] = []
  const log = new FoldedLog((record) => written.push(record), { periodMs: PERIOD_MS, now: () => nowMs })
  for (let pod = 0; pod < 80; pod++) log.warn('refused', { pod: `shop-${pod}` })
  assert.equal(written.length, 50)
  nowMs = PERIOD_MS
  log.warn('refused', { pod: 'shop-80' })
  assert.deepEqual(written[50].fields, { pod: 'shop-80', alike: 30 })
})

test('FoldedLog: does not count records of a level that is not written', () => {
  const written: LogRecord[] = []
  const log = new FoldedLog((record) => written.push(record), {
    periodMs: PERIOD_MS,
    now: () => 0,
    isEnabled: (level) => level !== 'debug',
  })
  log.debug('detail')
  log.debug('detail')
  log.flush()
  assert.deepEqual(written, [])
})
