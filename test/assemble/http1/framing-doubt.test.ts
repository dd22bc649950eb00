/**
 * Messages that do not end where their heads announce, from servers and clients that frame messages wrongly and
 * continue. Such an exchange may be missing, but no pair ever contains a part of another message, and later exchanges
 * are paired.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { count } from '../../../src/ledger/ledger.ts'
import type { Pair } from '../../../src/pair/pair.ts'
import { assemble, type HarnessOptions } from '../../support/assemble-harness.ts'
import { propertyRuns } from '../../support/property-runs.ts'
import { type Segment, TcpScript } from '../../support/tcp-script.ts'

const SMALL: HarnessOptions = { messageBytes: 65_536, pairBytes: 65_536, poolBytes: 1024 * 1024, flows: 64 }

/** One exchange as sent, and its bodies if it becomes a pair. */
interface Exchange {
  asked: string
  answered: string
  requestBody?: string
  responseBody: string
}

type Shape = (n: number) => Exchange

const json = (n: number): string => `{"n":${n}}`
const get = (n: number, method = 'GET'): string => `${method} /${n} HTTP/1.1\r\nHost: a\r\n\r\n`
const ok = (fields: string, body: string): string => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`
const counted = (body: string, length = body.length): string => ok(`Content-Length: ${length}\r\n`, body)

const right: Shape = (n) => ({ asked: get(n), answered: counted(json(n)), responseBody: json(n) })

/** A response to GET with some framing, and the body that a client may read from it. */
const framedResponse =
  (framed: (body: string) => string, seen = (body: string): string => body): Shape =>
  (n) => ({ asked: get(n), answered: framed(json(n)), responseBody: seen(json(n)) })

/** A request whose body is announced but never sent, because the server responds at once. */
const unsent =
  (fields: string): Shape =>
  (n) => ({
    asked: `POST /${n} HTTP/1.1\r\nExpect: 100-continue\r\n${fields}\r\n`,
    answered: `HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n${n % 10}!`,
    requestBody: '',
    responseBody: `${n % 10}!`,
  })

/** A request of any bytes, answered in order. */
const odd =
  (asked: (n: number) => string, requestBody = ''): Shape =>
  (n) => ({ asked: asked(n), answered: counted(json(n)), requestBody, responseBody: json(n) })

const chunk = (body: string): string => `${body.length.toString(16)}\r\n${body}\r\n`

const SHAPES: Record<string, Shape> = {
  'no length': framedResponse((body) => ok('', body)),
  'no length, no body': (n) => ({ asked: get(n), answered: 'HTTP/1.1 302 F\r\nLocation: /\r\n\r\n', responseBody: '' }),
  'unknown transfer coding': framedResponse((body) =>
    ok(`Transfer-Encoding: xyz\r\nContent-Length: ${body.length}\r\n`, body),
  ),
  'a transfer coding with a parameter': framedResponse(
    (body) => ok('Transfer-Encoding: chunked;a=b\r\n', `${chunk(body)}0\r\n\r\n`),
    (body) => `${chunk(body)}0\r\n\r\n`,
  ),
  'a length beyond the body': framedResponse((body) => counted(body, body.length + 60)),
  'a length within the body': framedResponse(
    (body) => counted(`${body} and more`, body.length),
    (body) => body,
  ),
  'a body after HEAD': (n) => ({ asked: get(n, 'HEAD'), answered: counted(json(n)), responseBody: '' }),
  'a body after 204': (n) => ({ asked: get(n), answered: `HTTP/1.1 204 N\r\n\r\n${json(n)}`, responseBody: '' }),
  'no line end after the last chunk': framedResponse((body) =>
    ok('Transfer-Encoding: chunked\r\n', `${chunk(body)}0\r\n`),
  ),
  'no last chunk': framedResponse((body) => ok('Transfer-Encoding: chunked\r\n', chunk(body))),
  'a chunk larger than it is': framedResponse((body) =>
    ok('Transfer-Encoding: chunked\r\n', `80\r\n${body}\r\n0\r\n\r\n`),
  ),
  'bytes after the last chunk': framedResponse((body) =>
    ok('Transfer-Encoding: chunked\r\n', `${chunk(body)}0\r\n\r\nmore\r\n`),
  ),
  'an unknown version': framedResponse((body) => counted(body).replace('/1.1', '/2')),
  'CR as line end of the response': framedResponse((body) => counted(body).replaceAll('\r\n', '\r')),
  'CR within the response': framedResponse((body) =>
    ok(`A: b\rContent-Length: ${body.length}\r\r`, body).replace('\r\n', '\r'),
  ),
  'a response nobody asked for, with a length beyond its body': framedResponse(
    (body) => `${counted(body)}HTTP/1.1 408 T\r\nContent-Length: 60\r\n\r\nno`,
  ),
  'no body, as announced': unsent('Content-Length: 90\r\n'),
  'no body, of as many bytes as the next request': unsent(`Content-Length: ${get(3).length}\r\n`),
  'no chunks': unsent('Transfer-Encoding: chunked\r\n'),
  'CR as line end of the request': odd((n) => get(n).replaceAll('\r\n', '\r')),
  'CR within the request': odd((n) => get(n).replace('Host: a\r\n\r\n', 'Host: a\r\r')),
  'a request head without end': odd((n) => `GET /${n} HTTP/1.1\r\nHost: a\r\n`),
  'bytes after the request': odd((n) => `${get(n)}xyz`),
  'empty lines after the request': odd((n) => `${get(n)}\r\n\r\n`),
  'bytes after the request body': odd((n) => `POST /${n} HTTP/1.1\r\nContent-Length: 2\r\n\r\nokmore`, 'ok'),
}

/** Sends exchanges one after the other. */
function play(exchanges: readonly Exchange[], segmentBytes: number): Segment[] {
  const script = new TcpScript({ segmentBytes }).handshake()
  for (const { asked, answered } of exchanges) script.client(asked).server(answered)
  return script.close().segments
}

/** Pairs that differ from every sent exchange. */
function wrong(pairs: readonly Pair[], exchanges: readonly Exchange[]): string[] {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
  return pairs.flatMap(({ request, response }) => {
    const sent = exchanges[Number(request.target.slice(1))]
    const [requestBody, responseBody] = [text(request.body), text(response.body)]
    const isRight =
      sent?.asked.startsWith(`${request.method} ${request.target} `) &&
      requestBody === (sent.requestBody ?? '') &&
      responseBody === sent.responseBody
    return isRight ? [] : [`${request.method} ${request.target} ${requestBody} ${response.status} ${responseBody}`]
  })
}

const targets = (pairs: readonly Pair[]): number[] => pairs.map(({ request }) => Number(request.target.slice(1)))

for (const [name, shape] of Object.entries(SHAPES)) {
  test(`framing: ${name}: the exchange is correct or missing, and later ones are correct`, () => {
    for (const at of [0, 1, 2]) {
      const exchanges = Array.from({ length: at + 4 }, (_, n) => (n === at ? shape : right)(n))
      const { pairs, ledger } = assemble(play(exchanges, 1448), SMALL)
      assert.deepEqual(wrong(pairs, exchanges), [])
      const others = targets(pairs).filter((n) => n !== at)
      assert.deepEqual(
        others,
        [...exchanges.keys()].filter((n) => n !== at),
        `exchange ${at} misframed`,
      )
      for (const reason of ['gap', 'closed', 'reset', 'timeout', 'ended']) {
        assert.equal(count(ledger, `requests.abandoned.${reason}`), 0, reason)
        assert.equal(count(ledger, `responses.orphaned.${reason}`), 0, reason)
      }
    }
  })
}

for (const fields of ['Content-Length: 90', `Content-Length: ${get(1).length}`, 'Transfer-Encoding: chunked']) {
  test(`framing: after a refused upload with ${fields}, the next head is found wherever it is segmented`, () => {
    const exchanges = [unsent(`${fields}\r\n`)(0), right(1), right(2)]
    const [{ asked, answered }, next, last] = exchanges as [Exchange, Exchange, Exchange]
    for (let cut = 1; cut < next.asked.length; cut++) {
      const script = new TcpScript().handshake().client(asked).server(answered)
      script.client(next.asked.slice(0, cut)).client(next.asked.slice(cut)).server(next.answered)
      const { pairs, ledger } = assemble(script.client(last.asked).server(last.answered).close(), SMALL)
      assert.deepEqual(wrong(pairs, exchanges), [])
      assert.deepEqual(targets(pairs), [1, 2], `cut at ${cut}`)
      assert.equal(count(ledger, 'requests.abandoned.doubtful'), 1)
    }
  })
}

test('framing: the body of a refused upload, if it is sent nevertheless, is not joined with the next head', () => {
  const body = 'GET /9 HTTP/1.1\r\nA'
  const upload = `POST /0 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`
  const script = new TcpScript().handshake().client(upload).server(counted('!!').replace('200 OK', '401 No'))
  script
    .client(body)
    .client(get(1))
    .server(counted(json(1)))
    .client(get(2))
    .server(counted(json(2)))
  const { pairs } = assemble(script.close(), SMALL)
  assert.deepEqual(targets(pairs), [2])
})

/** Some servers read such a request line, and answer it. */
const tabbed = (n: number): string => get(n).replace(' /', '\t/')

for (const [name, begins] of Object.entries({
  'while it receives a response': (script: TcpScript, upload: string): void => {
    const answered = counted(json(1))
    script.client(upload).server(answered.slice(0, -3)).client(tabbed(2)).server(answered.slice(-3))
    script.client(get(3)).server(counted(json(2)))
  },
  'before its request is answered': (script: TcpScript, upload: string): void => {
    script
      .client(upload)
      .server(counted(json(1)))
      .client(tabbed(2))
      .client(get(3))
      .server(counted(json(2)))
  },
})) {
  test(`framing: a client continues ${name}, behind a request that only its server reads: no pair is wrong`, () => {
    for (const fields of ['Content-Length: +4', 'Content-Length: 4\r\nTransfer-Encoding: chunked']) {
      const script = new TcpScript()
        .handshake()
        .client(get(0))
        .server(counted(json(0)))
      begins(script, `POST /1 HTTP/1.1\r\n${fields}\r\n\r\nbody`)
      // The client stays one request ahead of the server.
      for (let n = 3; n < 6; n++) script.client(get(n + 1)).server(counted(json(n)))
      const { pairs, ledger } = assemble(script.server(counted(json(6))).close(), SMALL)
      assert.deepEqual(
        wrong(
          pairs,
          Array.from({ length: 7 }, (_, n) => right(n)),
        ),
        [],
      )
      assert.deepEqual(targets(pairs), [0])
      for (const reason of ['gap', 'closed', 'timeout'])
        assert.equal(count(ledger, `requests.abandoned.${reason}`), 0, reason)
      assert.equal(count(ledger, 'responses.orphaned.noRequest'), 0)
    }
  })
}

test('framing: an upload is doubtful if its refusal closes the connection before any of its body', () => {
  const { asked } = unsent('Content-Length: 90\r\n')(0)
  const refusal = 'HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno'
  for (const [sent, reason] of [
    ['', 'doubtful'],
    ['half', 'closed'],
  ] as const) {
    const script = new TcpScript().handshake().client(asked)
    if (sent !== '') script.client(sent)
    const { pairs, ledger } = assemble(script.server(refusal).fin('server').fin('client').ack('server'), SMALL)
    assert.deepEqual(pairs, [])
    assert.equal(count(ledger, `requests.abandoned.${reason}`), 1)
    assert.equal(count(ledger, `responses.orphaned.${reason}`), 1)
  }
})

for (const [name, answer] of [
  ['the response to a request', (extra: number) => counted(json(0), json(0).length + extra)],
  [
    'a response nobody asked for',
    (extra: number) => `${counted(json(0))}HTTP/1.1 408 T\r\nContent-Length: ${extra}\r\n\r\n`,
  ],
] as const) {
  test(`framing: after a length beyond the body, of ${name}, and a loss, no later response is matched by order`, () => {
    const { length } = counted(json(1))
    for (const extra of [length - 1, length, length + 1, 2 * length, 60, 500]) {
      const exchanges = [0, 1, 2, 3, 4].map(right)
      const script = new TcpScript({ segmentBytes: 31 }).handshake().client(get(0)).server(answer(extra))
      for (const { asked, answered } of exchanges.slice(1)) script.client(asked).server(answered)
      const { segments } = script.close()
      for (let at = 3; at < segments.length; at++) {
        for (const count of [1, 2, 3]) {
          const { pairs } = assemble(segments.toSpliced(at, count), SMALL)
          assert.deepEqual(wrong(pairs, exchanges), [], `${extra} bytes, without ${count} segments from ${at} on`)
        }
      }
    }
  })
}

test('framing: an incomplete head whose response lacks one captured byte is not joined with the next head', () => {
  const exchanges = [right(0), odd((n) => `GET /${n} HTTP/1.1\r\nHost: a\r\n`)(1), right(2)]
  const segments = play(exchanges, counted(json(0)).length - 1)
  const lost = segments.filter(({ fromClient, payload }) => !fromClient && payload.length === 1)
  for (const one of lost) {
    for (const request of segments.filter(({ fromClient, payload }) => fromClient && payload.length > 0)) {
      const kept = segments.filter((segment) => segment !== one && segment !== request)
      assert.deepEqual(wrong(assemble(kept, SMALL).pairs, exchanges), [])
    }
  }
})

/**
 * Framings for conversations in small segments. Bytes after a request are excluded: like us, a server reads them as the
 * beginning of the next request, and only a segment that begins with a whole request can show otherwise.
 */
const names = Object.keys(SHAPES).filter((name) => !name.startsWith('bytes after the request'))
const shapes = fc.array(fc.option(fc.constantFrom(...names), { freq: 2 }), { minLength: 2, maxLength: 8 })
const shaped = (chosen: readonly (string | null)[]): Exchange[] =>
  chosen.map((name, n) => (name === null ? right : (SHAPES[name] ?? right))(n))

test('framing: an upload is doubtful if its client continues, although some of the refusal is captured behind that', () => {
  const refusal = counted('x'.repeat(100)).replace('200 OK', '417 No')
  const script = new TcpScript()
    .handshake()
    .client('POST /0 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n')
  script
    .server(refusal.slice(0, 60))
    .server(refusal.slice(60))
    .client(get(1))
    .server(counted(json(1)))
    .close()
  const at = script.segments.findIndex(({ payload }) => Buffer.from(payload).toString() === refusal.slice(60))
  const [late, ack, next, ...rest] = script.segments.slice(at) as [Segment, Segment, Segment, ...Segment[]]
  const { pairs, ledger } = assemble([...script.segments.slice(0, at), ack, next, late, ...rest], SMALL)
  assert.deepEqual(
    targets(pairs).filter((target) => target === 0),
    [],
  )
  assert.equal(count(ledger, 'requests.abandoned.doubtful'), 1)
})

test('framing: any mixture, segmented in any way, yields no wrong pair', () => {
  fc.assert(
    fc.property(shapes, fc.integer({ min: 1, max: 200 }), (chosen, segmentBytes) => {
      const exchanges = shaped(chosen)
      assert.deepEqual(wrong(assemble(play(exchanges, segmentBytes), SMALL).pairs, exchanges), [])
    }),
    { numRuns: propertyRuns(3000) },
  )
})

test('framing: any mixture with lost segments yields no wrong pair', () => {
  const losses = fc.array(fc.nat(100), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(shapes, fc.integer({ min: 30, max: 1448 }), losses, (chosen, segmentBytes, lost) => {
      const exchanges = shaped(chosen)
      const segments = play(exchanges, segmentBytes)
      const kept = segments.filter((_, i) => i < 3 || !lost.some((at) => 3 + (at % (segments.length - 3)) === i))
      assert.deepEqual(wrong(assemble(kept, SMALL).pairs, exchanges), [])
    }),
    { numRuns: propertyRuns(3000) },
  )
})
