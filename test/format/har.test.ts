import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { createFormat } from '../../src/format/create-format.ts'
import type { Header, Pair } from '../../src/pair/pair.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { anyPair, samplePair } from '../pair/samples.ts'
import { HAR_SCHEMA } from './har-schema.ts'

interface Entry {
  startedDateTime: string
  time: number
  request: { url: string; cookies: object[]; queryString: object[]; postData?: object; bodySize: number }
  response: { content: object; cookies: object[]; redirectURL: string; bodySize: number }
  timings: { send: number; wait: number; receive: number }
}

const ajv = new Ajv2020({ allErrors: true })
const validate = ajv.compile(HAR_SCHEMA)

/** Checks the archive of some pairs against the schema and returns its entries. */
function archive(pairs: Pair[]): Entry[] {
  const format = createFormat('har', { decode: true, color: false, width: null, verbose: false, version: '0.1.0' })
  const text = [format.begin(), ...pairs.map((pair) => format.pair(packPair(pair))), format.end()].join('')
  const har = JSON.parse(text) as { log: { creator: object; pages: object[]; entries: Entry[] } }
  assert.ok(validate(har), ajv.errorsText(validate.errors))
  assert.deepEqual(har.log.creator, { name: 'Interceptor', version: '0.1.0' })
  assert.deepEqual(har.log.pages, [], 'Firefox and Chrome iterate over pages')
  return har.log.entries
}

const entryOf = (pair: Pair): Entry => archive([pair])[0]

test('har: is valid without any pair', () => {
  assert.deepEqual(archive([]), [])
})

test('har: is valid for any pairs, in their order, with times that add up', () => {
  fc.assert(
    fc.property(fc.array(anyPair, { maxLength: 3 }), (pairs) => {
      const entries = archive(pairs)
      assert.deepEqual(
        entries.map((entry) => (entry as Entry & { _id: string })._id),
        pairs.map(({ id }) => id),
      )
      for (const { time, timings, request } of entries) {
        assert.equal(time, timings.send + timings.wait + timings.receive)
        assert.match(request.url, /^[\x21-\x7e]+$/)
      }
    }),
  )
})

test('har: writes a plain exchange', () => {
  const entry = entryOf(samplePair())
  assert.equal(entry.startedDateTime, '2026-11-23T03:58:07.123456Z')
  assert.deepEqual(entry.timings, { send: 0, wait: 0.544, receive: 0.01 })
  assert.equal(entry.request.url, 'http://api/users?id=1')
  assert.deepEqual(entry.request.queryString, [{ name: 'id', value: '1' }])
  assert.deepEqual(entry.request.postData, { mimeType: 'application/json', params: [], text: '{"a":1}' })
  assert.deepEqual(entry.response.content, { size: 11, mimeType: 'application/json', text: '{"ok":true}' })
})

test('har: builds URLs from target, Host and address', () => {
  const server = { address: '::1', port: 80, pod: null }
  const cases: [method: string, target: string, host: string | undefined, url: string][] = [
    ['GET', '/a', 'shop.test:8080', 'http://shop.test:8080/a'],
    ['GET', '/a', undefined, 'http://[::1]:80/a'],
    ['GET', '/a', 'not a host', 'http://[::1]:80/a'],
    ['GET', '/a', '[2001:db8::1]:81', 'http://[2001:db8::1]:81/a'],
    ['GET', 'https://other.test/x?y', 'shop.test', 'https://other.test/x?y'],
    ['OPTIONS', '*', 'shop.test', 'http://shop.test/'],
    ['CONNECT', 'other.test:443', 'shop.test', 'http://other.test:443/'],
    ['GET', '/é?q="<%20>', 'shop.test', 'http://shop.test/%C3%A9?q=%22%3C%20%3E'],
    ['GET', 'odd', 'shop.test', 'http://shop.test/odd'],
  ]
  for (const [method, target, host, url] of cases) {
    const headers: Header[] = host === undefined ? [] : [['Host', host]]
    assert.equal(entryOf(samplePair({ server, request: { method, target, headers } })).request.url, url)
  }
})

test('har: decodes query strings and forms', () => {
  const { request } = entryOf(
    samplePair({
      request: {
        target: '/a?b=x+y&c=%C3%A9&d#e=f',
        headers: [['content-type', 'Application/X-WWW-Form-URLencoded; charset=utf-8']],
        body: Buffer.from('p=%26&q'),
      },
    }),
  )
  assert.deepEqual(request.queryString, [
    { name: 'b', value: 'x y' },
    { name: 'c', value: 'é' },
    { name: 'd', value: '' },
  ])
  assert.deepEqual(request.postData, {
    mimeType: 'Application/X-WWW-Form-URLencoded; charset=utf-8',
    params: [
      { name: 'p', value: '&' },
      { name: 'q', value: '' },
    ],
    text: 'p=%26&q',
  })
})

test('har: writes no postData without a body', () => {
  assert.ok(!('postData' in entryOf(samplePair({ request: { body: Buffer.alloc(0), bodySize: 0 } })).request))
})

test('har: writes binary bodies in base64 and marks them', () => {
  const body = Buffer.from([0xff, 0x00])
  const { request, response } = entryOf(samplePair({ request: { body }, response: { body } }))
  assert.deepEqual(request.postData, { mimeType: 'application/json', params: [], text: '/wA=', _encoding: 'base64' })
  assert.deepEqual(response.content, { size: 2, mimeType: 'application/json', text: '/wA=', encoding: 'base64' })
})

test('har: reports the bytes that compression saved for a decoded body', () => {
  const body = gzipSync('x'.repeat(1000))
  const headers: Header[] = [['Content-Encoding', 'gzip']]
  const { response } = entryOf(samplePair({ response: { headers, body, bodySize: body.length } }))
  assert.deepEqual(response.content, {
    size: 1000,
    compression: 1000 - body.length,
    mimeType: '',
    text: 'x'.repeat(1000),
  })
  assert.equal(response.bodySize, body.length)
})

test('har: writes the cookies of both sides', () => {
  const { request, response } = entryOf(
    samplePair({
      request: {
        headers: [
          ['Cookie', 'a=1; b="x=y"; c;'],
          ['cookie', 'd='],
        ],
      },
      response: {
        headers: [
          ['Set-Cookie', 'sid=31d4; Path=/; Domain=shop.test; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Secure; HttpOnly'],
          ['set-cookie', 'plain=; Expires=whenever; SameSite=Lax'],
        ],
      },
    }),
  )
  assert.deepEqual(request.cookies, [
    { name: 'a', value: '1' },
    { name: 'b', value: '"x=y"' },
    { name: 'c', value: '' },
    { name: 'd', value: '' },
  ])
  assert.deepEqual(response.cookies, [
    {
      name: 'sid',
      value: '31d4',
      path: '/',
      domain: 'shop.test',
      expires: '2026-10-21T07:28:00.000Z',
      secure: true,
      httpOnly: true,
    },
    { name: 'plain', value: '' },
  ])
})

test('har: writes the location of a redirect', () => {
  const headers: Header[] = [['location', '/login']]
  assert.equal(entryOf(samplePair({ response: { status: 302, headers } })).response.redirectURL, '/login')
})

test('har: writes no wait for a response that begins before its request ends', () => {
  const { timings, time } = entryOf(
    samplePair({
      requestStartMicros: 1_000_000,
      requestEndMicros: 9_000_000,
      responseStartMicros: 3_000_000,
      responseEndMicros: 4_000_000,
    }),
  )
  assert.deepEqual(timings, { send: 2000, wait: 0, receive: 1000 })
  assert.equal(time, 3000)
})
