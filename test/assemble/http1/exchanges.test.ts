/**
 * How a head determines its message's body and pairing on a connection with pipelining, against a model that is a
 * queue.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { AssembleHarness } from '../../support/assemble-harness.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { TcpScript } from '../../support/tcp-script.ts'

type Method = 'GET' | 'HEAD' | 'POST'
type Step = { do: 'request'; method: Method } | { do: 'respond'; how: keyof typeof RESPONSES }

/** Responses by framing: the fields, the bytes that follow the head, and the body. */
const RESPONSES = {
  counted: { status: 200, head: 'Content-Length: 4\r\n', wire: 'body', body: 'body' },
  chunked: {
    status: 200,
    head: 'Transfer-Encoding: chunked\r\n',
    wire: '2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n',
    body: 'body',
  },
  empty: { status: 201, head: 'Content-Length: 0\r\n', wire: '', body: '' },
  // Responses without a body, whatever their fields announce (RFC 9112 §6.3).
  'no content': { status: 204, head: 'Content-Length: 4\r\n', wire: '', body: '' },
  'not modified': { status: 304, head: 'Content-Length: 4\r\n', wire: '', body: '' },
} as const

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('request' as const), method: fc.constantFrom<Method>('GET', 'HEAD', 'POST') }),
  fc.record({
    do: fc.constant('respond' as const),
    how: fc.constantFrom<keyof typeof RESPONSES>('counted', 'chunked', 'empty', 'no content', 'not modified'),
  }),
)

test('exchanges: model: pairs pipelined requests in order, and ends each response as its head and request determine', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.boolean(), fc.boolean(), (steps, interims, closes) => {
      const script = new TcpScript().handshake()
      const waiting: { method: Method; target: string }[] = []
      const pairs: string[] = []
      let [requests, responses, interim] = [0, 0, 0]
      for (const one of steps) {
        if (one.do === 'request') {
          const target = `/${requests}`
          const body = one.method === 'POST' ? 'Content-Length: 3\r\n\r\nabc' : '\r\n'
          script.client(`${one.method} ${target} HTTP/1.1\r\nHost: a\r\n${body}`)
          waiting.push({ method: one.method, target })
          requests += 1
          continue
        }
        const request = waiting.shift()
        if (request === undefined) continue
        const { status, head, wire, body } = RESPONSES[one.how]
        const isHead = request.method === 'HEAD'
        if (interims) script.server('HTTP/1.1 102 Processing\r\nX: 1\r\n\r\n')
        script.server(`HTTP/1.1 ${status} X\r\n${head}\r\n${isHead ? '' : wire}`)
        pairs.push(`${request.method} ${request.target} ${status} ${isHead ? '' : body}`)
        responses += 1
        if (interims) interim += 1
      }
      if (closes) script.close()
      const harness = new AssembleHarness()
      const run = harness.script(script).finish()
      assert.deepEqual(
        run.pairs.map(
          ({ request, response }) =>
            `${request.method} ${request.target} ${response.status} ${Buffer.from(response.body).toString()}`,
        ),
        pairs,
      )
      assert.ok(run.pairs.every(({ request }) => request.bodySize === (request.method === 'POST' ? 3 : 0)))
      const counts = ['messages.requests', 'messages.responses', 'messages.interim'].map((path) => harness.count(path))
      assert.deepEqual(counts, [requests, responses, interim])
      assert.equal(harness.count(`requests.abandoned.${closes ? 'closed' : 'ended'}`), waiting.length)
      assert.equal(harness.count('flows.protocol.http1'), requests > 0 ? 1 : 0)
    }),
    { numRuns: propertyRuns(120) },
  )
})

test('exchanges: abandons all unanswered requests of a connection at their limit', () => {
  const script = new TcpScript().handshake().client('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(4097))
  const harness = new AssembleHarness().script(script)
  assert.equal(harness.count('requests.abandoned.evicted'), 4097)
  harness.finish()
})

test('exchanges: bytes after a protocol switch are not messages', () => {
  const script = new TcpScript().handshake()
  script.client('GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  script.server('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  script.client('GET /no HTTP/1.1\r\nHost: a\r\n\r\n').server('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n').close()
  const harness = new AssembleHarness()
  const { pairs } = harness.script(script).finish()
  assert.deepEqual(
    pairs.map(({ request, response }) => [request.target, response.status]),
    [['/chat', 101]],
  )
  assert.equal(harness.count('flows.protocol.upgraded'), 1)
})
