import assert from 'node:assert/strict'
import { test } from 'node:test'
import { advice } from '../../src/admin/advice.ts'

type Seen = Parameters<typeof advice>[0]

const SEEN: Seen = {
  isCaptured: true,
  interfaces: ['eth0'],
  why: 'no mesh; its default route',
  frames: 100,
  connections: { seen: 43 },
  serverNames: {},
  protocols: {},
  requests: 0,
  responses: 0,
  pairs: { kept: 0, filtered: {}, dropped: {} },
  abandoned: {},
  outputFails: false,
}
const pairs = (parts: Partial<Seen['pairs']>): Seen['pairs'] => ({ ...SEEN.pairs, ...parts })

const CASES: readonly (readonly [sentence: string, seen: Partial<Seen>])[] = [
  ['not captured: excluded by annotation', { isCaptured: false, interfaces: [], why: 'excluded by annotation' }],
  ['its interface is not open yet: the log has the reason', { interfaces: [] }],
  ['no frames on eth0: nothing is sent there, or the traffic uses another interface', { frames: 0 }],
  [
    '1 frame and no TCP connection on eth0: only other protocols, or excluded ports',
    { frames: 1, connections: { seen: 0 } },
  ],
  [
    '43 connections, all TLS to api.example.com: plaintext is not on eth0',
    { connections: { seen: 43, tls: 43 }, serverNames: { 'api.example.com': 43 } },
  ],
  [
    '43 connections, 40 TLS to a, b, c and 1 more: plaintext is not on eth0',
    { connections: { seen: 43, http2: 3, tls: 40 }, serverNames: { d: 1, a: 20, b: 12, c: 7 } },
  ],
  ['43 connections, all HTTP/2, which is not parsed', { connections: { seen: 43, http2: 43 } }],
  [
    '43 connections, all other protocols, such as Redis: no HTTP on eth0',
    { connections: { seen: 43, other: 43 }, protocols: { Redis: 43 } },
  ],
  ['43 connections, all kept at their other end (targets.keep)', { connections: { seen: 43, view: 43 } }],
  [
    '1 connection, all without data that shows a protocol: they are idle, or began before the capture',
    { connections: { seen: 1, unrecognised: 1 } },
  ],
  [
    '12 pairs, all filtered: change filter.statuses, filter.paths to keep them',
    { requests: 12, responses: 12, pairs: pairs({ filtered: { status: 10, path: 2 } }) },
  ],
  ['5 requests and no response: only one direction is captured on eth0', { requests: 5 }],
  ['1,000 responses and no request: only one direction is captured on eth0', { responses: 1000 }],
  [
    '5 requests without a response, most because of gap; see requests.abandoned',
    { requests: 6, responses: 1, abandoned: { timeout: 1, gap: 4 } },
  ],
  [
    '4 pairs, all kept at their other end (targets.keep)',
    { requests: 4, responses: 4, pairs: pairs({ filtered: { view: 4 } }) },
  ],
  [
    '3 connections upgraded, such as to WebSocket: what follows is not HTTP/1 and not parsed',
    {
      connections: { seen: 3, http1: 3, upgraded: 3 },
      requests: 3,
      responses: 3,
      pairs: pairs({ filtered: { contentType: 3 } }),
    },
  ],
  [
    '1 connection that became CONNECT tunnels: what follows is not HTTP/1 and not parsed',
    {
      connections: { seen: 1, http1: 1, tunnel: 1 },
      requests: 1,
      responses: 1,
      pairs: pairs({ filtered: { contentType: 1 } }),
    },
  ],
  [
    'pairs are kept and wait: the output is unreachable; run interceptor doctor',
    { requests: 5, responses: 5, pairs: pairs({ kept: 5 }), outputFails: true },
  ],
  ['pairs are kept', { requests: 5, responses: 5, pairs: pairs({ kept: 4, filtered: { status: 1 } }) }],
  [
    '2 pairs lost because the output is too slow; see pairs.dropped',
    { requests: 5, responses: 5, pairs: pairs({ kept: 4, dropped: { ring: 2 } }) },
  ],
]

for (const [sentence, seen] of CASES) {
  test(`advice: ${sentence}`, () => assert.equal(advice({ ...SEEN, ...seen }), sentence))
}
