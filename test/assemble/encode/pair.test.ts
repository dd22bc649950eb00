/** Pairs as the assembler encodes them, compared with objects built from what was sent. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { unpack } from 'msgpackr'
import type { Header, Pair, Vantage } from '../../../src/pair/pair.ts'
import { samplePair } from '../../pair/samples.ts'
import { AssembleHarness, assemble, type HarnessOptions } from '../../support/assemble-harness.ts'
import type { Link } from '../../support/tcp-frames.ts'
import { cutAll, type ScriptOptions, START_MICROS, TcpScript } from '../../support/tcp-script.ts'

interface Sent {
  method?: string
  target?: string
  version?: string
  status?: number
  reason?: string
  requestHeaders?: [string, string][]
  responseHeaders?: [string, string][]
  requestBody?: string
  responseBody?: string
}

const lines = (first: string, headers: readonly [string, string][], body: string): string =>
  [first, ...headers.map(([name, value]) => `${name}: ${value}`), '', body].join('\r\n')

const withLength = (headers: readonly [string, string][], body: string): [string, string][] => [
  ...headers,
  ['Content-Length', String(body.length)],
]

const LARGE: HarnessOptions = { messageBytes: 8 * 1024 ** 2, pairBytes: 16 * 1024 ** 2, poolBytes: 64 * 1024 ** 2 }

/** One exchange: the emitted pair, and the expected one. */
function exchange(sent: Sent, link: Link = {}, options: ScriptOptions = {}): { actual: Pair; expected: unknown } {
  const { method = 'GET', target = '/', version = '1.1', status = 200, reason = 'OK' } = sent
  const { requestBody = '', responseBody = '' } = sent
  const requestHeaders = withLength(sent.requestHeaders ?? [], requestBody)
  const responseHeaders = withLength(sent.responseHeaders ?? [], responseBody)
  const asked = lines(`${method} ${target} HTTP/${version}`, requestHeaders, requestBody)
  const answered = lines(`HTTP/${version} ${status} ${reason}`, responseHeaders, responseBody)
  const script = new TcpScript({ segmentBytes: 60_000, ...options }).handshake().client(asked).server(answered).close()
  const [actual, ...others] = assemble(script, LARGE, link).pairs
  assert.ok(actual !== undefined && others.length === 0)
  const times = (fromClient: boolean): number[] =>
    script.segments.filter((s) => s.fromClient === fromClient && s.payload.length > 0).map(({ micros }) => micros)
  const message = (headers: unknown, body: string, wire: string): object => ({
    httpVersion: version,
    headers,
    body: Buffer.from(body, 'latin1'),
    bodyEncoding: 'bin',
    bodySize: body.length,
    decoded: false,
    wireSize: wire.length,
  })
  const { client = { address: '10.0.0.5', port: 51234 }, server = { address: '10.0.0.9', port: 8080 } } = link
  const expected = {
    v: 1,
    id: actual.id,
    requestStartMicros: times(true)[0],
    requestEndMicros: times(true).at(-1),
    responseStartMicros: times(false)[0],
    responseEndMicros: times(false).at(-1),
    client: { ...client, pod: null },
    server: { ...server, pod: null },
    request: { method, target, ...message(requestHeaders, requestBody, asked) },
    response: { status, reason, ...message(responseHeaders, responseBody, answered) },
    capture: { node: 'test', interface: 'eth0', vantage: 'host', mesh: null },
    flags: [],
  }
  return { actual, expected }
}

function assertPair(sent: Sent, link?: Link, options?: ScriptOptions): Pair {
  const { actual, expected } = exchange(sent, link, options)
  assert.deepEqual(normal(actual), expected)
  return actual
}

/** Bodies as Buffers, so that deepEqual compares bytes. */
const normal = (pair: Pair): unknown => ({
  ...pair,
  request: { ...pair.request, body: Buffer.from(pair.request.body) },
  response: { ...pair.response, body: Buffer.from(pair.response.body) },
})

describe('pair encoding', () => {
  test('equals the exchange as sent', () => {
    assertPair({
      method: 'POST',
      target: '/users?id=1',
      requestHeaders: [
        ['Host', 'api'],
        ['Content-Type', 'application/json'],
      ],
      requestBody: '{"a":1}',
      responseHeaders: [['Content-Type', 'application/json']],
      responseBody: '{"ok":true}',
    })
  })

  test('names the ends of each connection on a tuple that is used again with client and server exchanged', () => {
    const client = { address: '10.0.0.5', port: 51234 }
    const server = { address: '10.0.0.9', port: 8080 }
    const links = [{}, { client: server, server: client }, {}]
    const harness = new AssembleHarness()
    for (const [i, link] of links.entries()) {
      const script = new TcpScript({ clientIsn: 1000 * i, startMicros: START_MICROS + i * 1_000_000 }).handshake()
      script.client('GET / HTTP/1.1\r\nHost: a\r\n\r\n').server('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n').close()
      harness.script(script, link)
    }
    const ends = harness.finish().pairs.map((pair) => [pair.client.port, pair.server.port])
    assert.deepEqual(
      ends,
      links.map((_, i) => (i === 1 ? [8080, 51234] : [51234, 8080])),
    )
  })

  test('lengths of strings and bodies at every boundary of their headers', () => {
    for (const length of [0, 1, 30, 31, 32, 33, 254, 255, 256, 257, 65_534, 65_535, 65_536, 65_537, 200_000]) {
      const text = 'x'.repeat(length)
      assertPair({
        target: `/${text}`,
        reason: text,
        requestHeaders: [['A', text]],
        responseHeaders: [[`n${text}`, 'v']],
        requestBody: text,
        responseBody: text,
      })
    }
  })

  test('header counts at every boundary of the array’s header', () => {
    for (const count of [1, 2, 14, 15, 16, 17, 255, 256, 257, 1000, 65_600]) {
      const headers = Array.from({ length: count - 1 }, (_, i): [string, string] => ['h', String(i % 10)])
      assertPair({ requestHeaders: headers, responseHeaders: headers.slice(1) })
    }
  })

  test('bodies in many segments in both messages', () => {
    const body = Array.from({ length: 1_000_000 }, (_, i) => String.fromCharCode(i % 251)).join('')
    assertPair({ method: 'PUT', requestBody: body, responseBody: body.slice(1) }, {}, { segmentBytes: 1448 })
  })

  test('statuses from 100 to 999 and versions', () => {
    for (const status of [200, 255, 256, 418, 999]) assertPair({ status, version: '1.0' })
  })

  test('any exchange, segmented in any way', () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}$/)
    const value = fc.stringMatching(/^([!-~]([ -~]{0,80}[!-~])?)?$/)
    const headers = fc.array(
      fc.tuple(
        token.filter((name) => !/^(content-length|transfer-encoding)$/i.test(name)),
        value,
      ),
      { maxLength: 30 },
    )
    const sent = fc.record({
      method: token.filter((method) => method.length <= 32 && !/^(HEAD|CONNECT)$/.test(method)),
      target: fc.stringMatching(/^[!-~]{1,300}$/),
      status: fc.integer({ min: 200, max: 999 }).filter((status) => status !== 204 && status !== 304),
      reason: value,
      requestHeaders: headers,
      responseHeaders: headers,
      requestBody: fc.string({ unit: 'binary-ascii', maxLength: 3000 }),
      responseBody: fc.string({ unit: 'binary-ascii', maxLength: 3000 }),
    })
    fc.assert(
      fc.property(sent, fc.integer({ min: 7, max: 3000 }), (message, segmentBytes) => {
        assertPair(message, {}, { segmentBytes })
      }),
      { numRuns: 300 },
    )
  })

  test('is standard MessagePack with 64-bit times and binary bodies', () => {
    let bytes: Uint8Array = new Uint8Array()
    const harness = new AssembleHarness({ onPair: (pair) => (bytes = pair.slice()) })
    harness
      .script(new TcpScript().handshake().client('GET / HTTP/1.1\r\n\r\n').server('HTTP/1.1 204 No\r\n\r\n').close())
      .finish()
    const value: { requestStartMicros: unknown; request: { body: unknown }; id: unknown } = unpack(bytes)
    assert.equal(value.requestStartMicros, BigInt(START_MICROS + 300))
    assert.ok(value.request.body instanceof Uint8Array)
    assert.match(String(value.id), /^[0-9a-f]{32}$/)
  })

  test('has the capture point', () => {
    const names = ['eth0', 'x'.repeat(31), 'y'.repeat(255), 'z'.repeat(256), 'é€😀']
    const interfaces = names.map((name, i) => ({
      name,
      vantage: 'client' as const,
      mesh: i === 1 ? 'istio' : null,
      domain: i,
      vantagePoint: null,
    }))
    const harness = new AssembleHarness({ interfaces, node: 'näme' })
    const script = new TcpScript()
      .handshake()
      .client('GET / HTTP/1.1\r\n\r\n')
      .server('HTTP/1.1 204 No\r\n\r\n')
      .close()
    for (const interfaceId of names.keys()) harness.script(script, { interfaceId })
    assert.deepEqual(
      harness.finish().pairs.map(({ capture }) => capture),
      interfaces.map(({ name, mesh }) => ({ node: 'näme', interface: name, vantage: 'client', mesh })),
    )
  })
})

describe('pair encoding: forwarding headers of a proxy', () => {
  const request = (fields: string): string => `POST / HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: 2\r\n\r\n{}`

  /** The pair of a request with such headers, captured at an interface. */
  function forwardedOf(fields: string, place: { vantage?: Vantage; mesh?: string | null } = {}): Header[] | undefined {
    const info = { name: 'lo', vantage: 'server' as const, mesh: 'istio', domain: 0, vantagePoint: null, ...place }
    const harness = new AssembleHarness({ interfaces: [info] })
    const script = new TcpScript().handshake().client(request(fields)).server('HTTP/1.1 204 No\r\n\r\n').close()
    const [pair] = harness.script(script).finish().pairs
    assert.deepEqual(Object.keys(pair), Object.keys(samplePair()))
    return pair.capture.forwarded
  }

  test('contains the fields in which proxies forward the client, as sent, and no others', () => {
    const fields: Header[] = [
      ['X-Forwarded-For', '10.1.2.3, 10.4.5.6'],
      ['x-envoy-external-address', '10.1.2.3'],
      ['FORWARDED', `for=${'x'.repeat(300)}`],
      ['l5d-client-id', 'web.shop.serviceaccount.identity'],
      ['X-Real-IP', ''],
    ]
    const others = 'X-Forwarded: no\r\nForwarded-For: no\r\nX-Envoy: no\r\nX-Real-IPs: no\r\n'
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n${others}`).join('')
    assert.deepEqual(forwardedOf(lines), fields)
    assert.deepEqual(forwardedOf(`${lines}X-Latin: \u00e9\r\n`), fields)
  })

  test('contains them only at the server’s vantage behind a mesh’s proxy, and only if there are any', () => {
    const line = 'X-Forwarded-For: 10.1.2.3\r\n'
    assert.equal(forwardedOf(line, { mesh: null }), undefined)
    assert.equal(forwardedOf(line, { vantage: 'client' }), undefined)
    assert.equal(forwardedOf(''), undefined)
  })

  test('contains at most 15 fields and 4 KiB, and leaves out a field that does not fit', () => {
    const many = Array.from({ length: 30 }, (_, i): Header => ['X-Forwarded-For', `10.0.0.${i}`])
    const lines = (fields: Header[]): string => fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    assert.deepEqual(forwardedOf(lines(many)), many.slice(0, 15))
    const long: Header = ['X-Forwarded-Client-Cert', 'c'.repeat(4096)]
    assert.deepEqual(forwardedOf(lines([long, many[0], long])), [many[0]])
    assert.equal(forwardedOf(lines([long])), undefined)
    // The header of the array, of the field, of its name and of its value.
    const [name] = long
    const fits: Header = [name, 'c'.repeat(4096 - 1 - 1 - (1 + name.length) - 3)]
    assert.deepEqual(forwardedOf(lines([fits])), [fits])
    assert.equal(forwardedOf(lines([[name, `${fits[1]}c`]])), undefined)
  })
})

describe('pair encoding: addresses', () => {
  /** As sent, and as RFC 5952 §4 and §5 write them. */
  const TEXTS: [string, string][] = [
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['2001:0db8:0000:0000:0001:0000:0000:0001', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['0:0:1:0:0:1:0:0', '::1:0:0:1:0:0'],
    ['fe80:0:0:0:ABCD:EF01:2345:6789', 'fe80::abcd:ef01:2345:6789'],
    ['ff02:0:0:0:0:0:0:fb', 'ff02::fb'],
    ['1:2:3:4:5:6:0:0', '1:2:3:4:5:6::'],
    ['0:2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['10:200:3000:f:ff:fff:ffff:0', '10:200:3000:f:ff:fff:ffff:0'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:0:0', '::ffff:0.0.0.0'],
    ['::192.0.2.1', '::c000:201'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ]

  for (const [address, text] of TEXTS) {
    test(`${address} is ${text}`, () => {
      const link = { client: { address, port: 1 }, server: { address: '2001:db8::9', port: 65_535 } }
      const { actual } = exchange({}, link)
      assert.deepEqual(actual.client, { address: text, port: 1, pod: null })
      assert.deepEqual(actual.server, { address: '2001:db8::9', port: 65_535, pod: null })
      const back = exchange({}, { client: link.server, server: link.client }).actual
      assert.deepEqual(back.server, { address: text, port: 1, pod: null })
    })
  }

  test('IPv4 is in dotted decimal, whichever endpoint sorts first', () => {
    for (const address of [
      '0.0.0.0',
      '1.2.3.4',
      '10.20.30.40',
      '100.200.250.255',
      '127.0.0.1',
      '128.0.0.1',
      '255.255.255.255',
    ]) {
      assertPair({}, { client: { address, port: 40_000 }, server: { address: '99.99.99.99', port: 80 } })
      assertPair({}, { client: { address: '99.99.99.99', port: 40_000 }, server: { address, port: 80 } })
    }
  })
})

describe('pair encoding: ids', () => {
  const sent: Sent = {
    method: 'POST',
    target: '/a',
    requestHeaders: [['Host', 'a']],
    requestBody: 'x',
    responseBody: 'y',
  }
  const { id } = exchange(sent).actual

  test('do not depend on addresses, ports, time or segmentation', () => {
    const elsewhere = { client: { address: '2001:db8::1', port: 9 }, server: { address: '2001:db8::2', port: 8 } }
    assert.equal(exchange(sent, elsewhere).actual.id, id)
    assert.equal(exchange(sent, { vlans: [5] }).actual.id, id)
    for (const segmentBytes of [1, 7, 30, 1000]) {
      assert.equal(exchange(sent, {}, { segmentBytes, startMicros: 1_000_000 }).actual.id, id)
    }
  })

  test('differ if either sequence number differs', () => {
    assert.notEqual(exchange(sent, {}, { clientIsn: 1001 }).actual.id, id)
    assert.notEqual(exchange(sent, {}, { serverIsn: 5001 }).actual.id, id)
  })

  test('differ if any byte of either head differs', () => {
    const others: Sent[] = [
      { ...sent, method: 'POSU' },
      { ...sent, target: '/b' },
      { ...sent, version: '1.0' },
      { ...sent, status: 201 },
      { ...sent, reason: 'Ok' },
      { ...sent, requestHeaders: [['Host', 'b']] },
      { ...sent, requestHeaders: [['host', 'a']] },
      { ...sent, responseHeaders: [['A', '']] },
    ]
    const ids = [id, ...others.map((other) => exchange(other).actual.id)]
    assert.equal(new Set(ids).size, ids.length)
  })

  test('of a hundred thousand exchanges on one connection all differ', () => {
    const ids = new Set<string>()
    const harness = new AssembleHarness({
      onPair: (pair) => ids.add(Buffer.from(pair.subarray(0, 60)).toString('latin1').slice(8, 40)),
    })
    const script = new TcpScript({ bareAcks: false }).handshake()
    for (let n = 0; n < 100_000; n++) {
      script.client('GET / HTTP/1.1\r\n\r\n').server('HTTP/1.1 204 No\r\n\r\n')
      harness.segments(script.segments.splice(0))
    }
    harness.finish()
    assert.equal(ids.size, 100_000)
  })
})

test('pair encoding: an exchange captured on two interfaces has one id', () => {
  const interfaces = [0, 1].map((domain) => ({
    name: `eth${domain}`,
    vantage: 'host' as const,
    mesh: null,
    domain,
    vantagePoint: null,
  }))
  const harness = new AssembleHarness({ interfaces })
  const { segments } = new TcpScript()
    .handshake()
    .client('GET / HTTP/1.1\r\n\r\n')
    .server('HTTP/1.1 204 No\r\n\r\n')
    .close()
  harness.segments(segments, { interfaceId: 0 }).segments(cutAll(segments, 5, 3), { interfaceId: 1 })
  const { pairs } = harness.finish()
  assert.equal(pairs.length, 2)
  assert.equal(pairs[0].id, pairs[1].id)
})

describe('pair encoding: more pairs at once than the output has room for', () => {
  const REQUESTS = 4000
  const head = (i: number): string => `GET /${i} HTTP/1.1\r\nHost: a\r\nX-Long: ${'x'.repeat(3000)}\r\n\r\n`

  test('emits all pairs of one segment that answers thousands of requests', () => {
    const harness = new AssembleHarness({ poolBytes: 32 * 1024 ** 2 })
    const script = new TcpScript({ segmentBytes: 60_000 }).handshake()
    script.client(Array.from({ length: REQUESTS }, (_, i) => head(i)).join(''))
    script.server('HTTP/1.1 204 N\r\n\r\n'.repeat(REQUESTS).slice(0, 60_000)).close()
    const { pairs } = harness.script(script).finish()
    assert.ok(pairs.length > 3000, `${pairs.length} pairs`)
    for (const [i, { request }] of pairs.entries()) assert.equal(request.target, `/${i}`)
  })

  test('emits all pairs of incomplete responses at the end of the input', () => {
    const harness = new AssembleHarness({ poolBytes: 64 * 1024 ** 2, incompleteResponses: true })
    const ports = Array.from({ length: 30 }, (_, i) => 20_000 + i)
    for (const port of ports) {
      const script = new TcpScript({ segmentBytes: 60_000 }).handshake().client(head(port))
      script.server(`HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n${'y'.repeat(900_000)}`)
      harness.script(script, { client: { address: '10.0.0.5', port } })
    }
    const { pairs } = harness.finish()
    assert.deepEqual(pairs.map(({ request }) => Number(request.target.slice(1))).sort(), ports)
    for (const { response } of pairs) assert.equal(response.bodySize, 900_000)
  })
})
