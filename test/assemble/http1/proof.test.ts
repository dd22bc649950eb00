/** Pairs that wait for proof, against a model of what has been proved. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { REASON_DOUBTFUL, REASON_GAP, REASON_OVERSIZE } from '../../../src/ledger/reasons.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { Http1Program, NO_DOUBT } from './http1-program.ts'

/** Reasons for which a pair waits. */
interface Flags {
  contested?: boolean
  unconfirmed?: boolean
  closes?: boolean
}

/** Ends of exchanges, as reported by the program. */
let emitted: number[] = []
let abandoned: number[] = []
let reasons: number[] = []

const program = new Http1Program({
  emit(exchange) {
    assert.equal(exports.waits(exchange), 0, 'its deadline was stopped')
    emitted.push(exchange)
  },
  abandon(exchange, reason) {
    exports.stopDeadline(exchange)
    exports.setAbandoned(exchange, reason)
    abandoned.push(exchange)
    reasons.push(reason)
  },
  settle() {},
})
const { exports } = program

class Rig {
  readonly connection: number
  readonly #concluded: number[] = []

  constructor(lossy = false) {
    program.begin()
    emitted = []
    abandoned = []
    reasons = []
    this.connection = program.connection(lossy)
  }

  /** Completes both messages. @param endSeq sequence number where the response seems to end */
  conclude(endSeq: number, { contested = false, unconfirmed = false, closes = false }: Flags = {}): number {
    const exchange = exports.makeExchange(this.connection)
    exports.setExchange(exchange, endSeq, Number(contested), Number(unconfirmed), Number(closes))
    this.#concluded.push(exchange)
    exports.conclude(exchange)
    return exchange
  }

  /** Exchanges with a running deadline. */
  get waiting(): number[] {
    return this.#concluded.filter((exchange) => exports.waits(exchange) === 1)
  }

  /** Adds a waiting request that was sent after `ack` had been received. */
  request(ack: number): void {
    exports.setFirst(this.connection, exports.makeExchange(this.connection), ack)
  }
}

test('proof: a pair in order is emitted at once', () => {
  const rig = new Rig()
  const exchange = rig.conclude(100)
  assert.deepEqual([emitted, rig.waiting], [[exchange], []])
})

type Step =
  | { do: 'match' | 'contest'; length: number }
  | { do: 'request' | 'response'; isNext: boolean }
  | { do: 'lose' | 'close' | 'end' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('match' as const, 'contest' as const),
      length: fc.integer({ min: 1, max: 9 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('request' as const, 'response' as const), isNext: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('lose' as const, 'close' as const, 'end' as const) }) },
)

test('proof: model: a pair is emitted if what follows begins where its response ends, and otherwise abandoned', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), fc.boolean(), (steps, lossy) => {
      const rig = new Rig(lossy)
      const { connection } = rig
      let seq = 0
      // The pair that waits for the client's next request, the one that waits for the server's next response, and where
      // its response ends.
      let matched = 0
      let contested = 0
      let contestedEnd = -1
      const kept: number[] = []
      const lost: number[] = []
      const end = (exchange: number, isProven: boolean): void => {
        if (exchange !== 0) (isProven ? kept : lost).push(exchange)
      }
      for (const one of steps) {
        if (one.do === 'match' || one.do === 'contest') {
          // A response begins, which decides the pair that waits for one.
          exports.refute(connection)
          exports.checkContestedEnd(connection, seq)
          end(matched, false)
          end(contested, contestedEnd === seq)
          seq += one.length
          matched = one.do === 'match' ? rig.conclude(seq, { unconfirmed: true }) : 0
          contested = one.do === 'contest' ? rig.conclude(seq, { contested: true }) : 0
          contestedEnd = seq
        } else if (one.do === 'request') {
          exports.resolve(connection, one.isNext ? seq : seq + 1)
          end(matched, one.isNext)
          matched = 0
        } else if (one.do === 'response') {
          exports.refute(connection)
          exports.checkContestedEnd(connection, one.isNext ? seq : seq + 1)
          end(matched, false)
          end(contested, one.isNext)
          ;[matched, contested] = [0, 0]
        } else if (one.do === 'lose') {
          exports.doubt(connection, REASON_GAP)
          exports.reject(connection)
          end(matched, false)
          end(contested, false)
          ;[matched, contested] = [0, 0]
        } else {
          exports.settleMatch(connection, Number(one.do === 'close'))
          end(matched, one.do === 'close' || !lossy)
          matched = 0
        }
        assert.deepEqual(emitted, kept)
        assert.deepEqual(abandoned, lost)
        assert.deepEqual(
          rig.waiting,
          [matched, contested].filter((exchange) => exchange !== 0),
        )
        assert.deepEqual([exports.confirming(connection), exports.contested(connection)], [matched, contested])
      }
    }),
    { numRuns: propertyRuns(800) },
  )
})

test('proof: a request captured before the end of the response decides at once', () => {
  for (const [ack, isProven] of [
    [100, true],
    [99, false],
  ] as const) {
    const unconfirmed = new Rig()
    unconfirmed.request(ack)
    const exchange = unconfirmed.conclude(100, { unconfirmed: true })
    assert.deepEqual(isProven ? emitted : abandoned, [exchange])
    const contested = new Rig()
    contested.request(ack)
    const other = contested.conclude(100, { contested: true })
    assert.deepEqual(emitted, isProven ? [other] : [])
    assert.deepEqual(contested.waiting, isProven ? [] : [other])
  }
})

test('proof: a refuted match shows that the client pipelines, and that responses may be missing', () => {
  const rig = new Rig()
  const exchange = rig.conclude(100, { unconfirmed: true })
  exports.refute(rig.connection)
  assert.deepEqual([exports.isPipelining(rig.connection), exports.responseDoubt(rig.connection)], [1, REASON_DOUBTFUL])
  assert.deepEqual([abandoned, reasons], [[exchange], [REASON_DOUBTFUL]])
})

test('proof: a server that closes behind its response confirms it only if it has not announced the close', () => {
  for (const closes of [false, true]) {
    const rig = new Rig(true)
    rig.conclude(100, { unconfirmed: true, closes })
    exports.settleMatch(rig.connection, 1)
    assert.equal(emitted.length, closes ? 0 : 1)
    assert.equal(abandoned.length, closes ? 1 : 0)
  }
})

test('proof: a contested response that ends without a pair makes later responses doubtful, unless it was only too large', () => {
  for (const [reason, isDoubtful] of [
    [REASON_GAP, true],
    [REASON_OVERSIZE, false],
  ] as const) {
    const { connection } = new Rig()
    const exchange = exports.makeExchange(connection)
    exports.setExchange(exchange, 100, 1, 0, 0)
    exports.setAbandoned(exchange, reason)
    exports.completeAbandoned(exchange, 1)
    assert.equal(exports.responseDoubt(connection) !== NO_DOUBT, isDoubtful)
  }
})
