import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connectionsText, mostFrequent, reasonsText } from '../../src/format/traffic-text.ts'

test('traffic text: lists connections by protocol with server names, and outcomes of HTTP/1 exchanges', () => {
  const names = { serverNames: {}, protocols: {} }
  for (const [text, counts] of [
    ['0', { ...names, connections: {} }],
    ['1,200', { ...names, connections: { seen: 1200 } }],
    [
      '43: 40 TLS to b, a, 2 HTTP/1 (1 WebSocket, 1 CONNECT), 1 other (Redis)',
      {
        connections: { seen: 43, tls: 40, http1: 2, upgraded: 1, tunnel: 1, other: 1 },
        serverNames: { a: 1, b: 39 },
        protocols: { Redis: 1 },
      },
    ],
    ['3: 2 kept elsewhere, 1 unrecognised', { ...names, connections: { seen: 3, view: 2, unrecognised: 1 } }],
  ] as const) {
    assert.equal(connectionsText(counts), text)
  }
})

test('traffic text: lists the three most frequent names, and reasons in descending order', () => {
  assert.equal(mostFrequent(' to ', { d: 1, a: 20, b: 12, c: 7, e: 1 }), ' to a, b, c and 2 more')
  assert.equal(mostFrequent(' to ', {}), '')
  assert.equal(reasonsText({ path: 2, status: 1000 }), '1,002: status 1,000, path 2')
  assert.equal(reasonsText({}), '0')
})
