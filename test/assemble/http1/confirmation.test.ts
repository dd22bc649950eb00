/** Pairs that wait for a proof, against a model of what has been proved. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Confirmation } from '../../../src/assemble/http1/confirmation.ts'
import { Exchange, HttpConnection } from '../../../src/assemble/http1/connection.ts'
import type { Outcomes } from '../../../src/assemble/http1/outcomes.ts'
import { PacketTime } from '../../../src/assemble/packet-time.ts'
import { Flow } from '../../../src/assemble/tcp/flow.ts'
import { REASON_DOUBTFUL, REASON_GAP, REASON_OVERSIZE } from '../../../src/ledger/reasons.ts'
import { propertyRuns } from '../../support/property-runs.ts'

/** Notes the ends of exchanges, and which deadlines run. */
class Ends {
  readonly emitted: Exchange[] = []
  readonly abandoned: Exchange[] = []
  readonly waiting = new Set<Exchange>()

  /** The methods that a confirmation calls. */
  get outcomes(): Outcomes {
    const outcomes: Pick<Outcomes, 'emit' | 'abandon' | 'settle' | 'startDeadline' | 'stopDeadline'> = {
      emit: (exchange) => {
        assert.ok(!this.waiting.has(exchange), 'its deadline was stopped')
        this.emitted.push(exchange)
      },
      abandon: (exchange, reason) => {
        this.waiting.delete(exchange)
        exchange.abandoned = true
        exchange.reason = reason
        this.abandoned.push(exchange)
      },
      settle: () => {},
      startDeadline: (exchange) => void this.waiting.add(exchange),
      stopDeadline: (exchange) => void this.waiting.delete(exchange),
    }
    return outcomes as Outcomes
  }
}

class Rig {
  readonly ends = new Ends()
  readonly confirmation = new Confirmation(this.ends.outcomes, new PacketTime())
  readonly connection = new HttpConnection()
  readonly flow = new Flow(0)

  constructor() {
    this.connection.open(this.flow)
    this.flow.clientDirection = 0
  }

  /** Both messages are complete. @param endSeq where the response seems to end */
  conclude(endSeq: number, flags: Partial<Pick<Exchange, 'contested' | 'unconfirmed' | 'closes'>> = {}): Exchange {
    const exchange = new Exchange()
    exchange.reset(this.connection)
    exchange.response.endSeq = endSeq
    Object.assign(exchange, flags)
    this.confirmation.conclude(exchange)
    return exchange
  }

  /** A request waits that was sent after `ack` had been received. */
  request(ack: number): void {
    const exchange = new Exchange()
    exchange.reset(this.connection)
    exchange.ackFirst = ack
    this.connection.first = exchange
  }
}

test('confirmation: a pair in order is emitted at once', () => {
  const rig = new Rig()
  const exchange = rig.conclude(100)
  assert.deepEqual([rig.ends.emitted, rig.ends.waiting.size], [[exchange], 0])
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

test('confirmation: model: a pair is emitted if what follows begins where its response ends, and otherwise abandoned', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), fc.boolean(), (steps, lossy) => {
      const rig = new Rig()
      const { connection, confirmation, ends } = rig
      rig.flow.lossy = lossy
      let seq = 0
      // What waits for the client's next request, and for the server's next response.
      let matched: Exchange | null = null
      let contested: Exchange | null = null
      const emitted: Exchange[] = []
      const abandoned: Exchange[] = []
      const end = (exchange: Exchange | null, isProven: boolean): void => {
        if (exchange !== null) (isProven ? emitted : abandoned).push(exchange)
      }
      for (const one of steps) {
        if (one.do === 'match' || one.do === 'contest') {
          // A response begins, and so decides what waits for one.
          confirmation.refute(connection)
          confirmation.uphold(connection, seq)
          end(matched, false)
          end(contested, contested?.response.endSeq === seq)
          seq += one.length
          matched = one.do === 'match' ? rig.conclude(seq, { unconfirmed: true }) : null
          contested = one.do === 'contest' ? rig.conclude(seq, { contested: true }) : null
        } else if (one.do === 'request') {
          confirmation.resolve(connection, one.isNext ? seq : seq + 1)
          end(matched, one.isNext)
          matched = null
        } else if (one.do === 'response') {
          confirmation.refute(connection)
          confirmation.uphold(connection, one.isNext ? seq : seq + 1)
          end(matched, false)
          end(contested, one.isNext)
          ;[matched, contested] = [null, null]
        } else if (one.do === 'lose') {
          confirmation.doubt(connection, REASON_GAP)
          confirmation.reject(connection)
          end(matched, false)
          end(contested, false)
          ;[matched, contested] = [null, null]
        } else {
          confirmation.settle(connection, one.do === 'close')
          end(matched, one.do === 'close' || !lossy)
          matched = null
        }
        assert.deepEqual(ends.emitted, emitted)
        assert.deepEqual(ends.abandoned, abandoned)
        assert.deepEqual(
          [...ends.waiting],
          [matched ?? contested].filter((exchange) => exchange !== null),
        )
        assert.deepEqual([connection.confirming, connection.contested], [matched, contested])
      }
    }),
    { numRuns: propertyRuns(800) },
  )
})

test('confirmation: a request that was seen before the response ended decides at once', () => {
  for (const [ack, isProven] of [
    [100, true],
    [99, false],
  ] as const) {
    const unconfirmed = new Rig()
    unconfirmed.request(ack)
    const exchange = unconfirmed.conclude(100, { unconfirmed: true })
    assert.deepEqual(isProven ? unconfirmed.ends.emitted : unconfirmed.ends.abandoned, [exchange])
    const contested = new Rig()
    contested.request(ack)
    const other = contested.conclude(100, { contested: true })
    assert.deepEqual(contested.ends.emitted, isProven ? [other] : [])
    assert.deepEqual([...contested.ends.waiting], isProven ? [] : [other])
  }
})

test('confirmation: a refuted match shows that the client pipelines, and that responses may be missing', () => {
  const rig = new Rig()
  const { connection, ends } = rig
  const exchange = rig.conclude(100, { unconfirmed: true })
  rig.confirmation.refute(connection)
  assert.deepEqual(
    [connection.pipelining, connection.responseDoubt, connection.responseDoubtReason],
    [true, true, REASON_DOUBTFUL],
  )
  assert.deepEqual([ends.abandoned, exchange.reason], [[exchange], REASON_DOUBTFUL])
})

test('confirmation: a server that closes behind its response confirms it only if it has not announced the close', () => {
  for (const closes of [false, true]) {
    const rig = new Rig()
    rig.flow.lossy = true
    rig.conclude(100, { unconfirmed: true, closes })
    rig.confirmation.settle(rig.connection, true)
    assert.equal(rig.ends.emitted.length, closes ? 0 : 1)
    assert.equal(rig.ends.abandoned.length, closes ? 1 : 0)
  }
})

test('confirmation: the end of a contested response without a pair makes later responses doubtful, except where it was only too large', () => {
  for (const [reason, isDoubtful] of [
    [REASON_GAP, true],
    [REASON_OVERSIZE, false],
  ] as const) {
    const { connection, confirmation } = new Rig()
    const exchange = new Exchange()
    exchange.reset(connection)
    Object.assign(exchange, { contested: true, abandoned: true, reason })
    confirmation.completeAbandoned(exchange, true)
    assert.equal(connection.responseDoubt, isDoubtful)
  }
})
