import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { unpack } from 'msgpackr'
import {
  PREAMBLE_DONE,
  PREAMBLE_INVALID,
  PREAMBLE_NONE,
  PREAMBLE_OPEN,
} from '../../../src/assemble/preamble/preamble.ts'
import { ENDPOINTS_BYTES, ProxyHead } from '../../../src/assemble/preamble/proxy-head.ts'
import { bytes } from './bytes.ts'

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n'
const IPV4 = '\xcb\x00\x71\x09\xc0\x00\x02\x01\xc8\x22\x00\x50'
const ENDS = { source: { address: '203.0.113.9', port: 51234 }, destination: { address: '192.0.2.1', port: 80 } }

/** One instance for all tests, as in production, so that state left by one head would show in the next. */
const head = new ProxyHead()

/** Feeds a head in pieces. @returns its state, the number of consumed bytes, and the endpoints that it names */
function feed(text: string, size: number): { state: number; consumed: number; endpoints: unknown } {
  head.reset()
  const data = bytes(text)
  let consumed = 0
  for (let at = 0; at < data.length && head.state === PREAMBLE_OPEN; at += size) {
    consumed = head.data(data, at, Math.min(at + size, data.length), true)
  }
  return { state: head.state, consumed, endpoints: head.endpoints && unpack(head.endpoints) }
}

describe('ProxyHead', () => {
  const heads: [name: string, head: string, endpoints: unknown][] = [
    ['version 1', 'PROXY TCP4 203.0.113.9 192.0.2.1 51234 80\r\n', ENDS],
    [
      'the longest line of version 1',
      `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`,
      {
        source: { address: `${'ffff:'.repeat(7)}ffff`, port: 65535 },
        destination: { address: `${'ffff:'.repeat(7)}ffff`, port: 65535 },
      },
    ],
    ['version 1, unknown', 'PROXY UNKNOWN\r\n', null],
    ['version 2', `${SIGNATURE}\x21\x11\x00\x0c${IPV4}`, ENDS],
    ['version 2 with additional fields', `${SIGNATURE}\x21\x11\x02\x0c${IPV4}${'x'.repeat(512)}`, ENDS],
    ['version 2, local, with addresses', `${SIGNATURE}\x20\x11\x00\x0c${IPV4}`, null],
    ['version 2 over UDP', `${SIGNATURE}\x21\x12\x00\x0c${IPV4}`, null],
    ['version 2, unspecified family', `${SIGNATURE}\x21\x00\x00\x00`, null],
  ]
  for (const [name, text, endpoints] of heads) {
    test(`consumes a head in any pieces, and nothing after it: ${name}`, () => {
      for (let size = 1; size <= text.length + 5; size++) {
        const run = feed(`${text}GET /`, size)
        assert.deepEqual(run, { state: PREAMBLE_DONE, consumed: text.length, endpoints }, `pieces of ${size}`)
        assert.ok((head.endpoints?.length ?? 0) <= ENDPOINTS_BYTES)
      }
    })
  }

  test('rejects malformed input', () => {
    const malformed = [
      'PROXY TCP4 203.0.113.9 192.0.2.1 51234 80\n',
      'PROXY TCP4 203.0.113.9 192.0.2.1 51234\r\n',
      'PROXY TCP4 203.0.113.9 192.0.2.1 65536 80\r\n',
      'PROXY TCP4 203.0.113 192.0.2.1 51234 80\r\n',
      'PROXY TCP6 203.0.113.9 192.0.2.1 51234 80\r\n',
      'PROXY UDP4 203.0.113.9 192.0.2.1 51234 80\r\n',
      `PROXY UNKNOWN ${'x'.repeat(200)}\r\n`,
      `${SIGNATURE}\x31\x11\x00\x0c${IPV4}`,
      `${SIGNATURE}\x22\x11\x00\x0c${IPV4}`,
      `${SIGNATURE}\x21\x11\x00\x0b${IPV4}`,
      '\r\n\r\n\0\r\nQUIZ',
    ]
    for (const text of malformed) {
      for (const size of [1, 7, text.length]) assert.equal(feed(text, size).state, PREAMBLE_INVALID, text)
    }
  })

  test('reports how many bytes of other content it has withheld', () => {
    assert.equal(feed('POST / HTTP/1.1', 1).state, PREAMBLE_NONE)
    assert.equal(head.withheld, 1)
    assert.equal(feed('PROXIED / HTTP/1.1', 4).state, PREAMBLE_NONE)
    assert.equal(head.withheld, 4)
    assert.equal(feed('PROPFIND / HTTP/1.1', 100).state, PREAMBLE_NONE)
    assert.equal(head.withheld, 0)
  })

  test('does not withhold empty lines, which HTTP ignores', () => {
    assert.deepEqual(feed('\r\n\r\nGET / HTTP/1.1', 1), { state: PREAMBLE_NONE, consumed: 4, endpoints: null })
    assert.equal(head.withheld, 0)
  })

  test('rejects a server that speaks before the head is complete', () => {
    feed('PROXY TCP4', 4)
    assert.equal(head.data(bytes('220 '), 0, 4, false), 0)
    assert.equal(head.state, PREAMBLE_INVALID)
  })
})
