/**
 * Unusual requests from the tests of llhttp and picohttpparser and the findings of the HTTP Garden. Where deployed
 * servers interpret a request in several ways, each interpretation is simulated: no pair may contradict the server's
 * interpretation.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { count } from '../../../src/ledger/ledger.ts'
import { type AssembleRun, assemble, type HarnessOptions } from '../../support/assemble-harness.ts'
import { TcpScript } from '../../support/tcp-script.ts'

const SMALL: HarnessOptions = { messageBytes: 65_536, pairBytes: 65_536, poolBytes: 1024 * 1024, flows: 16 }

/** A request as its server interprets it: method, target and body. The response names the target. */
type Read = readonly [request: string, body: string]
/** A server's interpretation of the bytes; null: it rejects them and closes. */
type Reading = readonly Read[] | null

const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`
const answer = (target: string): string => `HTTP/1.1 200 OK\r\nContent-Length: ${target.length}\r\n\r\n${target}`
const REFUSAL = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbad'
const SMUGGLED = get('/smuggled')
const BEHIND: Read = ['GET /smuggled', '']
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

/** The bytes between ordinary exchanges, with the responses of a server that has this interpretation. */
function play(bytes: string, reading: Reading, withFirst: boolean): { run: AssembleRun; sent: string[] } {
  const script = new TcpScript().handshake()
  const sent: string[] = []
  const exchange = (request: string, body: string): void => {
    const target = request.split(' ')[1] ?? ''
    script.server(answer(target))
    sent.push([request, body, target].join('|'))
  }
  const whole = (target: string): void => {
    script.client(get(target))
    exchange(`GET ${target}`, '')
  }
  if (withFirst) whole('/first')
  script.client(bytes)
  if (reading === null) script.server(REFUSAL).fin('server').fin('client').ack('server')
  else {
    for (const [request, body] of reading) exchange(request, body)
    whole('/next')
    whole('/last')
    script.close()
  }
  return { run: assemble(script, SMALL), sent }
}

/** The emitted pairs without those that the server rejected. */
const emitted = ({ pairs }: AssembleRun): string[] =>
  pairs
    .filter(({ response }) => response.status !== 400)
    .map(({ request, response }) =>
      [`${request.method} ${request.target}`, text(request.body), text(response.body)].join('|'),
    )

/**
 * Asserts that no pair contradicts any interpretation, and that all exchanges of the first interpretation are emitted,
 * or all but the disputed one.
 */
function assertForm(bytes: string, readings: readonly Reading[], isDoubtful: boolean): void {
  for (const withFirst of [true, false]) {
    for (const reading of withFirst ? [...readings, null] : readings.slice(0, 1)) {
      const { run, sent } = play(bytes, reading, withFirst)
      const what = `${JSON.stringify(bytes)} read as ${JSON.stringify(reading)}`
      const pairs = emitted(run)
      for (const pair of pairs) assert.ok(sent.includes(pair), `${what}: ${pair}`)
      if (!isDoubtful && reading !== null) assert.deepEqual(pairs, sent, what)
      if (!isDoubtful) continue
      assert.ok(!run.pairs.some(({ request }) => request.target === '/form'), what)
      assert.equal(count(run.ledger, 'requests.abandoned.closed'), 0, what)
    }
  }
}

const form = (fields: string, body = ''): string => `POST /form HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`
const BYTES = `${SMUGGLED.length}`

describe('forms: the length of a request', () => {
  const whole: Reading = [['POST /form', SMUGGLED]]
  const none: Reading = [['POST /form', ''], BEHIND]
  const valid = [
    'Content-Length: #',
    'content-length:#',
    'CONTENT-LENGTH:\t#',
    'Content-Length:  # \t',
    'Content-Length: 00#',
  ]
  const repeated = ['Content-Length: #, #', 'Content-Length: # ,#', 'Content-Length: #\r\nX: y\r\nContent-Length: #']
  const identity = ['Content-Length: #\r\nTransfer-Encoding: identity', 'X@y: z\r\nContent-Length: #']
  for (const line of [...valid, ...repeated, ...identity]) {
    test(`${JSON.stringify(line)} determines the length`, () => {
      assertForm(form(`${line.replaceAll('#', BYTES)}\r\n`, SMUGGLED), [whole], false)
    })
  }

  const other = [
    'Content_Length: #',
    'X-Content-Length: #',
    'Content-Lengt: #',
    'Content-Lengths: #',
    'ContentLength: #',
    'X: Content-Length: #',
  ]
  for (const line of other) {
    test(`${JSON.stringify(line)} is another field`, () => {
      assertForm(form(`${line.replace('#', BYTES)}\r\n`, SMUGGLED), [none], false)
    })
  }

  const numbers = [
    '+#',
    '-#',
    '0x#',
    '#_0',
    '1_#',
    '#.0',
    '#e0',
    '"#"',
    "'N'",
    '#;',
    '# abc',
    '# 0',
    '#,',
    ',#',
    '#,,#',
    '0, #',
    '#, 0',
    '',
  ]
  const huge = ['18446744073709551616', '99999999999999999999', '#\x00', '\x0b#', '#\x0c', '\xa0#', '#\x85', '\xb2']
  const values = [...numbers, ...huge].map((value) => `Content-Length: ${value}`)
  const several = [
    'Content-Length: #\r\nContent-Length: 0',
    'Content-Length: 0\r\nContent-Length: #',
    'Content-Length:\r\nContent-Length: #',
  ]
  const names = [
    'Content-Length : #',
    'Content-Length\t: #',
    'Content-Length \t : #',
    'Content-Length\x85: #',
    'Content-Length\xa0: #',
    'Content-Length\x00: #',
    'Content-Length\x7f: #',
    'Content-Length #',
    'Content-Length',
    'Content-\r\nLength: #',
    'Content-Length;: #',
  ]
  const folded = [
    ' Content-Length: #',
    '\tContent-Length: #',
    'X: y\r\n Content-Length: #',
    'X: y\r\n\tContent-Length: #',
    'Content-Length:\r\n #',
    'Content-Length: #\r\n 0',
    'Content-Length: #\r\n \r\nX: y',
  ]
  const hidden = [
    'X: y\rContent-Length: #',
    'X: y\nContent-Length: #',
    'X:\nContent-Length: #',
    ':\r\nContent-Length: #',
    ': x\r\nContent-Length: #',
    'X\x00Y: z\r\nContent-Length: #',
    'no-colon\r\nContent-Length: #',
    'X y\r\nContent-Length: #',
    'X y: z\r\nContent-Length: #',
    'X : y\r\nContent-Length: #',
    'X\xe9: y\r\nContent-Length: #',
    'X\x7f: y\r\nContent-Length: #',
    'A-name-of-more-than-16-bytes y: z\r\nContent-Length: #',
  ]
  for (const line of [...values, ...several, ...names, ...folded, ...hidden]) {
    test(`${JSON.stringify(line)} is ambiguous`, () => {
      assertForm(form(`${line.replaceAll('#', BYTES)}\r\n`, SMUGGLED), [whole, none], true)
    })
  }
})

describe('forms: the transfer coding of a request', () => {
  const end = '0\r\n\r\n'
  const chunks = `${SMUGGLED.length.toString(16)}\r\n${SMUGGLED}\r\n${end}`
  const valid = [
    'chunked',
    'Chunked',
    '\tchunked ',
    'gzip, chunked',
    'gzip;q=1, chunked',
    'identity, chunked',
    'gzip\r\nTransfer-Encoding: chunked',
  ]
  for (const value of valid) {
    test(`${JSON.stringify(value)} is in chunks`, () => {
      assertForm(form(`Transfer-Encoding:${value}\r\n`, end + SMUGGLED), [[['POST /form', ''], BEHIND]], false)
      assertForm(form(`transfer-encoding: ${value}\r\n`, chunks), [[['POST /form', SMUGGLED]]], false)
    })
  }

  const lists = [
    ',chunked',
    ', chunked',
    'chunked,',
    'chunked, chunked',
    'chunked\r\nTransfer-Encoding: chunked',
    'chunked, identity',
    'chunked, gzip',
    'chunked\r\nTransfer-Encoding: identity',
    'gzip',
    'gzip,',
    'identity, identity',
  ]
  const words = [
    '',
    'xchunked',
    'chunkedx',
    'chunked x',
    'x chunked',
    'chunked;a=b',
    '"chunked"',
    "'chunked'",
    'chun\x00ked',
    'chunked\x00',
    '\x00chunked',
    '\x0bchunked',
    'chunked\x0b',
    '\x0cchunked',
    'chunked\xa0',
    '\xffchunked',
    'cow',
    'chunke',
    'chunked\r\n ',
    '\r\n chunked',
    'gzip,\r\n chunked',
  ]
  const values = [...lists, ...words].map((value) => `Transfer-Encoding: ${value}`)
  const names = [
    'Transfer-Encoding : chunked',
    'Transfer-Encoding\t: chunked',
    'Transfer-Encoding\x85: chunked',
    'Transfer-Encoding\x00: chunked',
    'Transfer-Encoding chunked',
    'Transfer-\r\nEncoding: chunked',
    ' Transfer-Encoding: chunked',
    'X: y\r\n Transfer-Encoding: chunked',
  ]
  const hidden = [
    'X: y\rTransfer-Encoding: chunked',
    'X: y\nTransfer-Encoding: chunked',
    'X:\nTransfer-Encoding: chunked',
    ':\r\nTransfer-Encoding: chunked',
    'no-colon\r\nTransfer-Encoding: chunked',
    'X y: z\r\nTransfer-Encoding: chunked',
  ]
  for (const line of [...values, ...names, ...hidden]) {
    test(`${JSON.stringify(line)} is ambiguous`, () => {
      assertForm(form(`${line}\r\n`, end + SMUGGLED), [[['POST /form', ''], BEHIND]], true)
      assertForm(form(`${line}\r\n`, chunks), [[['POST /form', SMUGGLED]]], true)
    })
  }

  for (const line of [
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked',
    ...values,
    ...names,
    ...hidden,
  ]) {
    test(`${JSON.stringify(line)} beside a Content-Length is ambiguous`, () => {
      const rest = end + SMUGGLED
      const both = (length: number): string => `${line}\r\nContent-Length: ${length}\r\n`
      assertForm(form(both(rest.length), rest), [[['POST /form', ''], BEHIND], [['POST /form', rest]]], true)
      const head = chunks.slice(0, 4)
      assertForm(form(both(4), chunks), [[['POST /form', SMUGGLED]], [['POST /form', head], BEHIND]], true)
    })
  }

  test('chunked in HTTP/1.0 is ambiguous', () => {
    const bytes = form('Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n', end + SMUGGLED).replace('1.1', '1.0')
    assertForm(bytes, [[['POST /form', ''], BEHIND]], true)
  })

  for (const line of [
    'TE: chunked',
    'Transfer_Encoding: chunked',
    'X-Transfer-Encoding: chunked',
    'Transfer-Encodin: chunked',
  ]) {
    test(`${JSON.stringify(line)} is another field`, () => {
      assertForm(form(`${line}\r\n`, SMUGGLED), [[['POST /form', ''], BEHIND]], false)
    })
  }
})

describe('forms: the chunks of a request', () => {
  const size = SMUGGLED.length.toString(16)
  const last = '\r\n0\r\n\r\n'
  const chunked = (body: string): string => form('Transfer-Encoding: chunked\r\n', body)
  const whole: Reading = [['POST /form', SMUGGLED]]
  const empty: Reading = [['POST /form', ''], BEHIND]

  const sizes = [size, size.toUpperCase(), `0000${size}`, `${size} `, ` ${size}`, `\t${size}`]
  const extensions = [';', ';a', ';a=b', ' ; a = b', ';a="b;c"', ';a="\\""', ';a="b', ';\x01', ';\xff', ';a;b;c=d'].map(
    (one) => size + one,
  )
  for (const line of [...sizes, ...extensions]) {
    test(`size line ${JSON.stringify(line)}`, () =>
      assertForm(chunked(`${line}\r\n${SMUGGLED}${last}`), [whole], false))
  }

  for (const line of ['0', '00', '000000000000000000000000', '0 ', ' 0', '0;a', '0;a="b"', '0;']) {
    test(`last size line ${JSON.stringify(line)}`, () =>
      assertForm(chunked(`${line}\r\n\r\n${SMUGGLED}`), [empty], false))
  }

  for (const trailer of [
    'X: y',
    'X:POST / HTTP/1.1',
    'X: y\r\n z',
    'no colon',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'X: y\nZ: a',
    'X: a\rb',
    'X: \x00',
  ]) {
    test(`trailer ${JSON.stringify(trailer)}`, () =>
      assertForm(chunked(`0\r\n${trailer}\r\n\r\n${SMUGGLED}`), [empty], false))
  }

  const odd = [
    `0x${size}`,
    `+${size}`,
    `-${size}`,
    `0_${size}`,
    `${size}_`,
    `${size}z`,
    `${size}h`,
    `${size} x`,
    `${size} ${size}`,
    `${size}\x00`,
    `\x00${size}`,
    `${size}\x0b`,
    `${size}.0`,
    `${size},0`,
    `${size}\r`,
    'g',
    'ffffffffffffffff',
    `10000000000000000${size}`,
    '',
  ]
  for (const line of odd) {
    test(`size line ${JSON.stringify(line)} is ambiguous`, () => {
      assertForm(chunked(`${line}\r\n${SMUGGLED}${last}`), [whole, empty], true)
    })
  }

  for (const line of ['0x0', '-0', '+0', '0_0', '0x', '0,', '0.', '\x000']) {
    test(`last size line ${JSON.stringify(line)} is ambiguous`, () => {
      assertForm(chunked(`${line}\r\n\r\n${SMUGGLED}`), [empty], true)
    })
  }

  const ends = [
    `${size}\r${SMUGGLED}${last}`,
    `${size}\r\n${SMUGGLED}0\r\n\r\n`,
    `${size}\r\n${SMUGGLED}XX0\r\n\r\n`,
    `${size}\r\n${SMUGGLED}\r\n\r\n0\r\n\r\n`,
    `\r\n${size}\r\n${SMUGGLED}${last}`,
    `${size};a\n${SMUGGLED}${last}`,
    `${size};\n${SMUGGLED}${last}`,
    `${size};a\rb\r\n${SMUGGLED}${last}`,
    `${size}\r\r;a\r\n${SMUGGLED}${last}`,
    `2;\nxx\r\n${size}\r\n${SMUGGLED}${last}`,
  ]
  for (const body of ends) {
    test(`${JSON.stringify(body.replace(SMUGGLED, '…'))} is ambiguous`, () => {
      assertForm(chunked(body), [whole, [['POST /form', size]], [['POST /form', 'xx']]], true)
    })
  }
})

describe('forms: start lines of requests', () => {
  const targets = [
    '/',
    '/a?b=c#d',
    '//',
    '*',
    'http://a:80/b',
    'a:443',
    '/%00%zz',
    '/\xe9',
    '/a|b{}"<>`^',
    '?x',
    '/a\x7fb',
    '!',
    'ws://a/',
    '/;a=b/../c',
  ]
  const methods = ['GET', 'get', 'M-SEARCH', 'PURGE', 'MKCOLA', 'A', "X!#$%&'*+.^_`|~9", 'REPORT', 'PRI']
  for (const request of [
    ...targets.map((target) => `OPTIONS ${target}`),
    ...methods.map((method) => `${method} /form`),
  ]) {
    test(`${JSON.stringify(request)} is a start line`, () => {
      const [method, target] = request.split(' ') as [string, string]
      for (const [before, line] of [
        ['', `${request} HTTP/1.1`],
        ['\r\n\r\n', `${method}  ${target}  HTTP/1.1`],
        ['\n', `${request} HTTP/1.9`],
      ] as const) {
        assertForm(`${before}${line}\r\nHost: a\r\n\r\n`, [[[request, '']]], false)
      }
    })
  }

  const versions = [
    'HTTP/1',
    'HTTP/1.',
    'HTTP/2.0',
    'HTTP/0.9',
    'HTTP/5.6',
    'HTTP/01.1',
    'HTTP/1.01',
    'HTTP/1.10',
    'HTTP/11.1',
    'HTTP/1,1',
    'http/1.1',
    'HTPP/1.1',
    'IHTTP/1.1',
    'ICE/1.0',
    'RTSP/1.0',
    'HTTP /1.1',
    'HTTP/1.x',
    'HTTP/4294967295.255',
    'HTTP/-1.1',
    '',
  ]
  const lines = [
    ...versions.map((version) => `GET /form ${version}`),
    'GET',
    'GET /form',
    'GET  HTTP/1.1',
    'GET\t/form\tHTTP/1.1',
    ' GET /form HTTP/1.1',
    'G\x00T /form HTTP/1.1',
    'G\tT /form HTTP/1.1',
    'G(T /form HTTP/1.1',
    'G=":<>(e),[T];?" /form HTTP/1.1',
    '\x00 /form HTTP/1.1',
    'GET /form\rHTTP/1.1',
    'G\xc9T /form HTTP/1.1',
    `${'A'.repeat(33)} /form HTTP/1.1`,
  ]
  for (const line of lines) {
    test(`${JSON.stringify(line)} is not a start line`, () => {
      for (const reading of [[['GET /form', '']], null] satisfies Reading[]) {
        const { run, sent } = play(`${line}\r\nHost: a\r\n\r\n`, reading, true)
        assert.deepEqual(emitted(run), reading === null ? sent : sent.filter((pair) => !pair.includes('/form')))
      }
    })
  }
})
