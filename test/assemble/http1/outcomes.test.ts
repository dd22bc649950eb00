/** Outcomes of exchanges on several concurrent connections, against a model of what each connection waits for. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AssembleHarness } from '../../support/assemble-harness.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { START_MICROS, TcpScript } from '../../support/tcp-script.ts'

const SECOND = 1_000_000
/** Offset between two ticks, so that no segment arrives exactly when a request times out. */
const TIMEOUT = 4.5 * SECOND
const CONNECTIONS = 4

/** Requests by the outcome of their pairs under the default filter. */
const REQUESTS = {
  kept: { path: '/orders', status: 200, type: 'application/json' },
  path: { path: '/metrics', status: 200, type: 'application/json' },
  status: { path: '/orders', status: 404, type: 'application/json' },
  contentType: { path: '/page', status: 200, type: 'text/html' },
} as const
type Kind = keyof typeof REQUESTS

type Step =
  | { do: 'request'; connection: number; kind: Kind }
  | { do: 'respond' | 'close' | 'reset'; connection: number }
  | { do: 'wait'; seconds: number }

/** A request without a response. */
interface Waiting {
  kind: Kind
  sinceMicros: number
  /** The reason for which it was abandoned; it still absorbs its response. */
  abandoned: string | null
}

/** One connection, as the client and the server see it. */
class Connection {
  script = new TcpScript({ bareAcks: false })
  isOpen = false
  waiting: Waiting | null = null
  /** Segments of the script that were captured. */
  captured = 0
  readonly #first: number
  #ports = 0

  constructor(index: number) {
    this.#first = 10_000 + index * 1000
  }

  get port(): number {
    return this.#first + this.#ports
  }

  /** The next connection has another port, so that it cannot receive segments of this one. */
  renew(): void {
    this.script = new TcpScript({ bareAcks: false })
    this.captured = 0
    this.isOpen = false
    this.waiting = null
    this.#ports += 1
  }
}

class Model {
  readonly counts = new Map<string, number>()
  readonly harness = new AssembleHarness({ everything: false, responseTimeoutMicros: TIMEOUT })
  readonly connections = Array.from({ length: CONNECTIONS }, (_, index) => new Connection(index))
  #micros = START_MICROS

  run(step: Step): void {
    if (step.do === 'wait') {
      for (let second = 0; second < step.seconds; second++) this.#advance(SECOND)
      return
    }
    const connection = this.connections[step.connection]
    if (step.do === 'request') this.#request(connection, step.kind)
    else if (step.do === 'respond') this.#respond(connection)
    else if (connection.isOpen) this.#end(connection, step.do)
  }

  /** The input ends. */
  finish(): void {
    for (const { waiting } of this.connections) if (waiting !== null) this.#abandon(waiting, 'ended')
    this.harness.finish()
  }

  check(): void {
    const outcomes = ['kept', 'path', 'status', 'contentType', 'timeout', 'closed', 'reset', 'ended', 'orphaned']
    const { harness } = this
    const found = outcomes.map((outcome) => harness.count(PATHS[outcome] ?? `pairs.filtered.${outcome}`))
    assert.deepEqual(
      Object.fromEntries(outcomes.map((outcome, i) => [outcome, found[i]])),
      Object.fromEntries(outcomes.map((outcome) => [outcome, this.counts.get(outcome) ?? 0])),
    )
    assert.equal(harness.pairs.length, this.counts.get('kept') ?? 0)
  }

  /** Requests that have no outcome yet. */
  get waiting(): number {
    return this.connections.filter(({ waiting }) => waiting !== null && waiting.abandoned === null).length
  }

  #request(connection: Connection, kind: Kind): void {
    if (connection.waiting !== null) return
    if (!connection.isOpen) connection.script.handshake()
    connection.isOpen = true
    connection.script.client(`GET ${REQUESTS[kind].path} HTTP/1.1\r\nHost: shop\r\n\r\n`)
    this.#capture(connection)
    connection.waiting = { kind, sinceMicros: this.#micros, abandoned: null }
  }

  #respond(connection: Connection): void {
    const { waiting } = connection
    if (waiting === null) return
    const { status, type } = REQUESTS[waiting.kind]
    connection.script.server(`HTTP/1.1 ${status} x\r\nContent-Type: ${type}\r\nContent-Length: 2\r\n\r\n{}`)
    this.#capture(connection)
    this.#add(waiting.abandoned === null ? waiting.kind : 'orphaned')
    connection.waiting = null
  }

  #end(connection: Connection, how: 'close' | 'reset'): void {
    if (how === 'close') connection.script.close()
    else connection.script.reset('client')
    this.#capture(connection)
    if (connection.waiting !== null) this.#abandon(connection.waiting, how === 'close' ? 'closed' : 'reset')
    connection.renew()
  }

  /** Captures the segments that the script has added. */
  #capture(connection: Connection): void {
    const { script, port } = connection
    for (const segment of script.segments.slice(connection.captured)) {
      this.#micros += 10
      this.#expire()
      this.harness.segments([{ ...segment, micros: this.#micros }], { client: { address: '10.0.0.1', port } })
    }
    connection.captured = script.segments.length
  }

  #advance(micros: number): void {
    this.#micros += micros
    this.harness.tick(this.#micros)
    this.#expire()
  }

  #expire(): void {
    for (const { waiting } of this.connections) {
      if (waiting !== null && this.#micros - waiting.sinceMicros > TIMEOUT) this.#abandon(waiting, 'timeout')
    }
  }

  #abandon(waiting: Waiting, reason: string): void {
    if (waiting.abandoned !== null) return
    waiting.abandoned = reason
    this.#add(reason)
  }

  #add(outcome: string): void {
    this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1)
  }
}

/** Ledger paths of the outcomes other than filters. */
const PATHS: Readonly<Record<string, string>> = {
  kept: 'pairs.kept',
  timeout: 'requests.abandoned.timeout',
  closed: 'requests.abandoned.closed',
  reset: 'requests.abandoned.reset',
  ended: 'requests.abandoned.ended',
  orphaned: 'responses.orphaned',
}

const connection = fc.nat(CONNECTIONS - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('request' as const),
      connection,
      kind: fc.constantFrom<Kind>('kept', 'kept', 'path', 'status', 'contentType'),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('respond' as const), connection }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('close' as const, 'reset' as const), connection }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 6 }) }) },
)

test('outcomes: model: every exchange has exactly the outcome that the model expects', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const model = new Model()
      for (const one of steps) {
        model.run(one)
        model.check()
        assert.equal(model.harness.count('requests.waiting'), model.waiting)
      }
      model.finish()
      model.check()
    }),
    { numRuns: propertyRuns(400) },
  )
})
