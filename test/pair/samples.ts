/** Pairs for tests: a plain one to vary, and arbitrary ones for properties. */
import fc, { type Arbitrary } from 'fast-check'
import type { Header, Pair, RequestMessage, ResponseMessage } from '../../src/pair/pair.ts'

type Overrides = Partial<Omit<Pair, 'request' | 'response'>> & {
  request?: Partial<RequestMessage>
  response?: Partial<ResponseMessage>
}

/** A plain pair in which a test replaces some parts. */
export function samplePair({ request, response, ...pair }: Overrides = {}): Pair {
  return {
    v: 1,
    id: '5b1c0d2e4f6a8b9c5b1c0d2e4f6a8b9c',
    requestStartMicros: 1795406287123456,
    requestEndMicros: 1795406287123456,
    responseStartMicros: 1795406287124000,
    responseEndMicros: 1795406287124010,
    client: { address: '10.0.0.5', port: 51234, pod: null },
    server: { address: '10.0.0.9', port: 8080, pod: null },
    request: {
      method: 'POST',
      target: '/users?id=1',
      httpVersion: '1.1',
      headers: [
        ['Host', 'api'],
        ['Content-Type', 'application/json'],
      ],
      body: Buffer.from('{"a":1}'),
      bodyEncoding: 'bin',
      bodySize: 7,
      decoded: false,
      wireSize: 123,
      ...request,
    },
    response: {
      status: 200,
      reason: 'OK',
      httpVersion: '1.1',
      headers: [['Content-Type', 'application/json']],
      body: Buffer.from('{"ok":true}'),
      bodyEncoding: 'bin',
      bodySize: 11,
      decoded: false,
      wireSize: 640,
      ...response,
    },
    capture: { node: 'n1', interface: 'eth0', vantage: 'file', mesh: null },
    flags: [],
    ...pair,
  }
}

/** Any valid UTF-8 text, biased towards what is special to terminals, JSON and URLs. */
export const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.constantFrom(
    '\u001b[2J\u001b]0;title\u0007',
    '\r\nInjected: yes',
    '\u202e',
    '\u009b31m',
    '"\\',
    '日本語',
    '',
    '__proto__',
  ),
)

/** Headers, biased towards those that a format interprets. */
const anyHeader: Arbitrary<Header> = fc.tuple(
  fc.oneof(anyText, fc.constantFrom('Host', 'Content-Type', 'content-encoding', 'Cookie', 'Set-Cookie', 'Location')),
  fc.oneof(
    anyText,
    fc.constantFrom('application/json', 'application/x-www-form-urlencoded; charset=utf-8', 'image/png', 'gzip', 'br'),
    fc.constantFrom('a=b; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT', 'a=b; c', 'shop.test:8080'),
  ),
)

const anyBody: Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.json().map((text) => Buffer.from(text)),
  anyText.map((text) => Buffer.from(text)),
)

const anyMessage = {
  httpVersion: fc.constantFrom('1.0', '1.1'),
  headers: fc.array(anyHeader, { maxLength: 6 }),
  body: anyBody,
  bodyEncoding: fc.constant('bin' as const),
  bodySize: fc.nat({ max: 2 ** 32 - 1 }),
  decoded: fc.boolean(),
  wireSize: fc.nat({ max: 2 ** 32 - 1 }),
}

/** Keys of labels, except the names of properties that every object has. */
const anyKey = anyText.filter((key) => key !== '__proto__')

/** A record of ordinary objects, as decoders return them. */
function record<T extends object>(parts: { [K in keyof T]: Arbitrary<T[K]> }): Arbitrary<T> {
  return fc.record(parts, { noNullPrototype: true }) as Arbitrary<T>
}

const socketAddress = { address: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.nat({ max: 65535 }) }
const anySocketAddress = record(socketAddress)

const anyEndpoint = record({
  ...socketAddress,
  pod: fc.option(
    record({
      name: fc.option(anyText),
      namespace: fc.option(anyText),
      uid: fc.uuid(),
      workload: fc.option(record({ kind: anyText, name: anyText })),
      container: anyText,
      labels: fc.dictionary(anyKey, anyText, { maxKeys: 4, noNullPrototype: true }),
    }),
  ),
})

/** From 2^50 microseconds (the year 2005) to the largest exact integer (about the year 2255). */
const anyMicros = fc.oneof(fc.integer({ min: 2 ** 50, max: Number.MAX_SAFE_INTEGER }), fc.nat())

/** Any pair: any bytes in bodies, any text elsewhere, times in any order. */
export const anyPair: Arbitrary<Pair> = record({
  v: fc.constant(1 as const),
  id: fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 32, maxLength: 32 }),
  requestStartMicros: anyMicros,
  requestEndMicros: anyMicros,
  responseStartMicros: anyMicros,
  responseEndMicros: anyMicros,
  client: anyEndpoint,
  server: anyEndpoint,
  request: record({
    method: fc.oneof(fc.constantFrom('GET', 'POST', 'CONNECT', 'OPTIONS'), anyText),
    target: fc.oneof(anyText, fc.webUrl(), fc.webPath(), fc.constantFrom('*', '/a?b=c&d=%zz#e', 'host:443')),
    ...anyMessage,
  }),
  response: record({ status: fc.integer({ min: 100, max: 999 }), reason: anyText, ...anyMessage }),
  capture: fc
    .tuple(
      record({
        node: anyText,
        interface: anyText,
        vantage: fc.constantFrom('server', 'client', 'host', 'file'),
        mesh: fc.option(anyText),
      }),
      fc.array(anyHeader, { maxLength: 3 }),
      fc.option(record({ source: anySocketAddress, destination: anySocketAddress })),
    )
    .map(([capture, forwarded, proxyProtocol]) => ({
      ...capture,
      ...(forwarded.length === 0 ? {} : { forwarded }),
      ...(proxyProtocol === null ? {} : { proxyProtocol }),
    })),
  flags: fc.array(anyText, { maxLength: 3 }),
})
