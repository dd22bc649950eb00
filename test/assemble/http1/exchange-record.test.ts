import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Exchange, HttpConnection } from '../../../src/assemble/http1/connection.ts'
import {
  EXCHANGE_TIMES,
  EXCHANGE_WORDS,
  flowIndexAt,
  isWaiting,
  loadExchange,
  saveExchange,
} from '../../../src/assemble/http1/exchange-record.ts'

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const size = fc.nat(2 ** 30)
const micros = fc.integer({ min: 0, max: 2 ** 52 })
const fields = fc.record({
  method: fc.nat(2),
  rule: fc.nat(9),
  gapReason: fc.integer({ min: -1, max: 9 }),
  contentTypeListed: fc.boolean(),
  headInBody: fc.boolean(),
  headInBodyAck: word,
  contested: fc.boolean(),
  interimKnown: fc.boolean(),
  interimSeq: word,
  gapBefore: fc.boolean(),
  ackBeforeGapKnown: fc.boolean(),
  ackBeforeGap: word,
  unconfirmed: fc.boolean(),
  early: fc.boolean(),
  ackFirst: word,
  ackLast: word,
})
const request = fc.record({
  startMicros: micros,
  endMicros: micros,
  startSeq: word,
  endSeq: word,
  digest1: word,
  digest2: word,
  wireBytes: size,
  bodyBytes: size,
  anomalies: fc.nat(255),
})
const chain = fc.record({ first: size, last: size, length: size, room: fc.nat(2048) })

describe('exchange record', () => {
  test('a request that waits is the same after it was a record', () => {
    fc.assert(
      fc.property(fields, request, chain, (own, message, bytes) => {
        const connection = new HttpConnection()
        const make = (): Exchange => {
          const exchange = new Exchange()
          exchange.reset(connection)
          return exchange
        }
        const saved = Object.assign(make(), own, { requestDone: true })
        Object.assign(saved.request, message)
        Object.assign(saved.request.chain, bytes)
        const words = new Int32Array(3 * EXCHANGE_WORDS).fill(-1)
        const times = new Float64Array(3 * EXCHANGE_TIMES).fill(-1)
        saveExchange(saved, 77, words, EXCHANGE_WORDS, times, EXCHANGE_TIMES)
        assert.equal(saved.request.chain.length, 0)
        assert.equal(flowIndexAt(words, EXCHANGE_WORDS), 77)
        const loaded = make()
        loadExchange(loaded, words, EXCHANGE_WORDS, times, EXCHANGE_TIMES)
        Object.assign(saved.request.chain, bytes)
        assert.deepEqual(loaded, saved)
        for (const array of [words, times]) {
          const third = array.length / 3
          assert.ok([...array.subarray(0, third), ...array.subarray(2 * third)].every((each) => each === -1))
        }
      }),
    )
  })

  test('an exchange waits once its request is complete, until its response begins or it is abandoned', () => {
    const waiting = Object.assign(new Exchange(), { queued: true, requestDone: true })
    assert.ok(isWaiting(waiting))
    assert.ok(!isWaiting(Object.assign(new Exchange(), { queued: true, requestOpen: true })))
    assert.ok(!isWaiting(Object.assign(new Exchange(), { queued: true, requestDone: true, responseBegun: true })))
    assert.ok(!isWaiting(Object.assign(new Exchange(), { queued: true, requestDone: true, abandoned: true })))
  })
})
