import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Exchange, HttpConnection } from '../../../src/assemble/http1/connection.ts'
import {
  isIdle,
  isSaved,
  loadConnection,
  saveConnection,
  waitingAt,
} from '../../../src/assemble/http1/connection-record.ts'
import { NO_EXCHANGE } from '../../../src/assemble/http1/deadlines.ts'
import { COUNTED, HEAD, HEAD_PART, OPAQUE, SEEK } from '../../../src/assemble/http1/stream-states.ts'

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const stream = fc.record({ state: fc.constantFrom(HEAD, SEEK, OPAQUE), lastAck: word, ackKnown: fc.boolean() })
const connection = fc.record({
  responseDoubt: fc.boolean(),
  responseDoubtReason: fc.integer({ min: -1, max: 9 }),
  requestDoubt: fc.boolean(),
  requestDoubtReason: fc.integer({ min: -1, max: 9 }),
  ackBeforeGap: word,
  ackBeforeGapKnown: fc.boolean(),
  answeredSeq: word,
  answeredAck: word,
  answeredKnown: fc.boolean(),
  orphanSeq: word,
  orphanKnown: fc.boolean(),
  begunAck: word,
  begunKnown: fc.boolean(),
  pipelining: fc.boolean(),
  recognised: fc.boolean(),
})

describe('connection record', () => {
  test('an idle connection is the same after it was a record', () => {
    fc.assert(
      fc.property(connection, stream, stream, (fields, requests, responses) => {
        const saved = Object.assign(new HttpConnection(), fields)
        Object.assign(saved.requests, requests)
        Object.assign(saved.responses, responses)
        assert.ok(isIdle(saved))
        const words = new Int32Array(11).fill(-1)
        saveConnection(saved, words, 1)
        assert.ok(isSaved(words, 1))
        assert.equal(waitingAt(words, 1), NO_EXCHANGE)
        const loaded = new HttpConnection()
        loadConnection(loaded, words, 1)
        assert.deepEqual(loaded, saved)
        assert.deepEqual([words[0], words[10]], [-1, -1])
      }),
    )
  })

  test('without a connection nothing is saved', () => {
    const words = new Int32Array(9).fill(-1)
    saveConnection(null, words, 0)
    assert.ok(!isSaved(words, 0))
  })

  test('a connection with a message, an open request or an unproven pair is not idle', () => {
    const busy: ((http: HttpConnection) => void)[] = [
      (http) => Object.assign(http, { first: new Exchange(), queued: 1 }),
      (http) => Object.assign(http, { confirming: new Exchange() }),
      (http) => Object.assign(http, { contested: new Exchange() }),
      (http) => Object.assign(http.requests, { state: COUNTED }),
      (http) => Object.assign(http.responses, { state: HEAD_PART }),
      (http) => Object.assign(http.responses, { exchange: new Exchange() }),
    ]
    for (const change of busy) {
      const http = new HttpConnection()
      change(http)
      assert.ok(!isIdle(http), change.toString())
    }
  })
})
