import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InterceptorError } from '../../src/errors.ts'
import { compilePredicate } from '../../src/select/expression.ts'
import { samplePair } from '../pair/samples.ts'

const POD = {
  name: 'api-1',
  namespace: 'shop',
  uid: 'u',
  workload: { kind: 'Deployment', name: 'api' },
  container: 'app',
  labels: { 'app.kubernetes.io/name': 'api' },
}
const PAIR = samplePair({
  server: { address: '10.0.0.9', port: 8080, pod: POD },
  request: {
    target: '/api/users?id=1',
    headers: [
      ['HOST', 'Api:80'],
      ['Accept', 'a'],
      ['accept', 'b'],
      ['__proto__', 'p'],
    ],
    body: Buffer.from('{"user":{"id":7,"name":"Ann"},"items":[{"price":3},{"price":12.5}]}'),
  },
  response: { status: 503, body: Buffer.from([0xff, 0x00]) },
})

/** The error of an invalid expression. */
function faultOf(text: string): InterceptorError {
  try {
    compilePredicate(text)
  } catch (error) {
    assert.ok(error instanceof InterceptorError, text)
    assert.equal(error.exitCode, 2)
    return error
  }
  assert.fail(`accepted: ${text}`)
}

test('expression: reads fields of a pair, bodies as JSON, and header names in lower case', () => {
  for (const text of [
    'response.status >= 500 && request.target.startsWith("/api") && server.pod.namespace == "shop"',
    'response.status in [500, 503] && request.method == "POST"',
    'request.json.user.id == 7 && request.json.user.name != "Bob"',
    'request.json.items.exists(item, item.price > 10)',
    'size(request.json.items) == 2',
    'has(request.json.user) && !has(request.json.nobody)',
    'request.headers.host == "Api:80" && request.headers["accept"] == "a, b" && request.headers["__proto__"] == "p"',
    'request.path == "/api/users" && request.host == "Api"',
    'request.path.matches("^/api/[a-z]+$")',
    'server.port == 8080 && client.pod.name == "" && client.pod.workload.kind == ""',
    'server.pod.labels["app.kubernetes.io/name"] == "api" && server.pod.workload.name == "api"',
    'latencyMs > 0.5 && latencyMs < 1',
    'response.json == null && response.body == ""',
    'capture.vantage == "file" && flags == [] && request.bodySize == 7',
    'request.json.nobody.id == 1 || response.status == 503',
  ]) {
    assert.ok(compilePredicate(text)(PAIR), text)
  }
})

test('expression: does not select a pair on which it fails', () => {
  for (const text of [
    'request.json.nobody.id == 1',
    'response.json.user.id == 1',
    'request.json.user.name > 5',
    'request.headers.cookie == "x"',
    'request.json.user',
    'request.json.items[9].price > 1',
    'response.status < 500',
  ]) {
    assert.equal(compilePredicate(text)(PAIR), false, text)
  }
})

test('expression: an error names the column and the nearest field', () => {
  for (const [text, column, guess] of [
    ['response.stats >= 500', 10, 'response.status'],
    ['respons.status >= 500', 1, 'response.status'],
    ['true && server.pod.namespaces == "a"', 20, 'server.pod.namespace'],
    ['request.target.startWith("/")', 1, 'startsWith'],
    ['lateny > 5.0', 1, 'latencyMs'],
    ['status >= 500', 1, 'response.status'],
    ['method == "GET"', 1, 'request.method'],
    ['namespace == "shop"', 1, 'server.pod.namespace'],
    ['server.workload.name == "api"', 8, 'server.pod.workload.name'],
    ['client.namespace == "api"', 8, 'client.pod.namespace'],
    ['request.header["a"] == "b"', 9, 'request.headers'],
    ['request.url == "/"', 9, 'request.target'],
    ['response.code == 200', 10, 'response.status'],
    ['latency > 5', 1, 'latencyMs'],
    ['request.path.match("x")', 1, 'matches'],
    ['response.status = 500', 17, '=='],
    ['response.status >= 500 and true', 24, '&&'],
    ['server.pod.name == null', 1, '""'],
  ] as const) {
    const { message, hint } = faultOf(text)
    assert.match(
      message,
      new RegExp(`^--where: column ${column}: .*did you mean ${guess.replaceAll(/[.|]/g, '\\$&')}\\?$`),
    )
    assert.equal(hint?.split('\n')[1]?.indexOf('^'), column + 1)
  }
})

test('expression: rejects literals that could select nothing', () => {
  for (const [text, column, what] of [
    ['request.path.matches("^/(a")', 22, 'invalid regular expression: /^/(a/: Unterminated group'],
    ['has(request.headers.Host)', 21, 'header names are in lower case; did you mean host?'],
    ['true || request.headers["X-Id"] == "7"', 26, 'header names are in lower case; did you mean x-id?'],
    ['"X-Id" in response.headers', 2, 'header names are in lower case; did you mean x-id?'],
  ] as const) {
    const { message } = faultOf(text)
    assert.equal(message, `--where: column ${column}: ${what}`)
  }
})

test('expression: reports syntax and type errors without a suggestion', () => {
  for (const [text, error] of [
    ['response.status ==', /column 19: /],
    ['', /column 1: /],
    ['request.method', /must be true or false, and it is of type string/],
    ['response.status == "500"', /column 1: no such overload: int == string/],
    ['qqqqqq == 1', /column 1: Unknown variable: qqqqqq; known are id, latencyMs, flags, client, server, request, /],
    [
      'client.pod.foo == 1',
      /column 12: No such key: foo; known are name, namespace, uid, container, workload, labels$/,
    ],
    [`${'('.repeat(200)}true${')'.repeat(200)}`, /column/],
  ] as const) {
    assert.match(faultOf(text).message, error)
  }
})

test('expression: is bounded in length, and an error shows the part around its column', () => {
  assert.match(faultOf(`true${' && true'.repeat(5000)}`).message, /column/)
  const { message, hint } = faultOf(`${'true && '.repeat(100)}stats == 1`)
  assert.match(message, /^--where: column 801: Unknown variable: stats/)
  const [line, mark] = hint?.split('\n') ?? []
  assert.match(line, /^ {2}….* && stats == 1$/)
  assert.equal(line.slice(mark.indexOf('^')), 'stats == 1')
})

test('expression: handles a body of deeply nested arrays', () => {
  const body = Buffer.from('['.repeat(500_000) + ']'.repeat(500_000))
  const pair = samplePair({ request: { body } })
  assert.equal(typeof compilePredicate('request.json != null')(pair), 'boolean')
  assert.equal(compilePredicate('request.json.a == 1')(pair), false)
})
