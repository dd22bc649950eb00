/** Pairs that are only counted: each has the length, and the run the counts, that it would have if its pairs were written. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { AssembleHarness, type HarnessOptions, HOST_INTERFACE } from '../../support/assemble-harness.ts'
import { chunked, request, response } from '../../support/http-script.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { TcpScript } from '../../support/tcp-script.ts'

interface Measured {
  lengths: readonly number[]
  ledger: unknown
}

function run(script: TcpScript, options: HarnessOptions): Measured {
  const written: number[] = []
  const harness = new AssembleHarness({ ...options, onPair: ({ length }) => written.push(length) }).script(script)
  const { ledger } = harness.finish()
  return { lengths: options.onlyCounts === true ? harness.pairLengths : written, ledger }
}

/** @returns how many pairs were compared */
function compare(script: TcpScript, options: HarnessOptions = {}): number {
  const written = run(script, options)
  const measured = run(script, { ...options, onlyCounts: true })
  assert.deepEqual(measured, written)
  return written.lengths.length
}

const conversation = (request: string, response: string, segmentBytes = 1448): TcpScript =>
  new TcpScript({ segmentBytes }).handshake().send('client', request).send('server', response).close()

/** Header lines of each form: common, and not. */
const LINES = [
  'Accept: */*',
  'Host: shop.example',
  `X-${'n'.repeat(29)}: 31 bytes`,
  `X-${'n'.repeat(30)}: 32 bytes`,
  `X-${'n'.repeat(300)}: 302 bytes`,
  'Empty:',
  'Empty: ',
  'Close:to its name',
  'Far:   from its name  ',
  'Tab:\tbefore',
  `Long: ${'v'.repeat(255)}`,
  `Long: ${'v'.repeat(256)}`,
  `Long: ${'v'.repeat(5000)}`,
  'Latin: caf\xe9',
  'Greek: \xce\xb1',
  'Folded: one\r\n two',
  'no colon',
]

describe('measured pairs', () => {
  for (const line of LINES) {
    test(`a head with ${JSON.stringify(line.slice(0, 40))}`, () => {
      const headers = ['A: b', line, 'C: d']
      for (const segmentBytes of [100, 1448]) {
        assert.equal(compare(conversation(request('/a', { headers }), response('body', { headers }), segmentBytes)), 1)
      }
    })
  }

  for (const count of [0, 1, 14, 15, 16, 40]) {
    test(`heads with ${count} more fields`, () => {
      const headers = Array.from({ length: count }, (_, i) => `Field-${i}: ${i}`)
      assert.equal(compare(conversation(request('/', { headers }), response('', { headers }))), 1)
    })
  }

  test('a response without fields, and targets of each length of a header', () => {
    for (const length of [1, 31, 32, 255, 256, 6000]) {
      const target = `/${'t'.repeat(length - 1)}`
      assert.equal(compare(conversation(`GET ${target} HTTP/1.1\r\n\r\n`, 'HTTP/1.1 204\r\n\r\n')), 1)
    }
  })

  test('bodies in one segment, in several, in chunks, and none', () => {
    for (const bytes of [0, 1, 1000, 5000, 70_000]) {
      const body = 'b'.repeat(bytes)
      const script = conversation(request('/', { method: 'POST', body }), response(body))
      assert.equal(compare(script), 1)
    }
    assert.equal(compare(conversation(request('/'), chunked(['one', 'two']))), 1)
  })

  test('a connection that a proxy names the client of', () => {
    const line = 'PROXY TCP4 198.51.100.7 203.0.113.9 4000 80\r\n'
    assert.equal(compare(conversation(line + request('/'), response('x'))), 1)
  })

  test('requests through a mesh’s proxy, whose heads name the client', () => {
    const interfaces = [{ ...HOST_INTERFACE, vantage: 'server' as const, mesh: 'istio' }]
    const headers = ['X-Forwarded-For: 198.51.100.7, 203.0.113.9']
    assert.equal(compare(conversation(request('/', { headers }), response('x')), { interfaces }), 1)
  })

  test('any fragments of HTTP', () => {
    let pairs = 0
    const lines = fc.array(fc.constantFrom(...LINES, 'Content-Length: 5', 'Transfer-Encoding: chunked'), {
      maxLength: 20,
    })
    const exchange = fc.record({ lines, answer: lines, body: fc.constantFrom('', 'hello', '5\r\nhello\r\n0\r\n\r\n') })
    const exchanges = fc.array(exchange, { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(exchanges, fc.integer({ min: 50, max: 3000 }), fc.boolean(), (list, segmentBytes, whole) => {
        const script = new TcpScript({ segmentBytes })
        if (whole) script.handshake()
        else script.midstream()
        for (const { lines, answer, body } of list) {
          script.send('client', ['POST /a HTTP/1.1', ...lines, '', body].join('\r\n'))
          script.send('server', ['HTTP/1.1 200 OK', ...answer, '', body].join('\r\n'))
        }
        pairs += compare(script.close(), { poolBytes: 128 * 1024, flows: 16, messageBytes: 20_000, pairBytes: 30_000 })
      }),
      { numRuns: propertyRuns(300) },
    )
    assert.ok(pairs > 0)
  })
})
