import assert from 'node:assert/strict'
import { test } from 'node:test'
import { damageLines, type RunFacts, summaryLine } from '../../src/cli/summary.ts'
import { EXIT_DAMAGED } from '../../src/errors.ts'
import type { Ledger } from '../../src/ledger/ledger.ts'

const facts = (given: Partial<RunFacts> = {}): RunFacts => ({
  sink: 'stdout',
  all: false,
  limit: null,
  signalled: false,
  ...given,
})

const NOTHING: Ledger = { frames: { seen: 0 }, flows: { seen: 0 }, pairs: { kept: 0, shipped: 0 } }

const cases: [string, Ledger, Partial<RunFacts>, string | null][] = [
  ['no frames', NOTHING, {}, 'no pairs shown; no frames were seen'],
  ['no TCP', { ...NOTHING, frames: { seen: 1234 } }, {}, 'no pairs shown; 1,234 frames, none with readable TCP'],
  [
    'frames lost before they were assembled',
    { ...NOTHING, frames: { seen: 1234, lost: { shutdown: 1234 } } },
    { signalled: true },
    'no pairs shown; 1,234 frames lost (shutdown 1,234)',
  ],
  [
    'TLS and HTTP/2 only',
    {
      ...NOTHING,
      frames: { seen: 99 },
      flows: { seen: 16, protocol: { tls: 12, http2: 3, other: 0, http1: 0 } },
    },
    {},
    'no pairs shown; 16 connections seen (12 TLS, 3 HTTP/2)',
  ],
  [
    'only responses seen',
    {
      frames: { seen: 10 },
      flows: { seen: 1, oneDirection: 1, protocol: { tls: 0, http1: 1 } },
      messages: { requests: 0, responses: 4 },
      responses: { orphaned: { noRequest: 4 } },
      pairs: { kept: 0, shipped: 0 },
    },
    {},
    'no pairs shown; 4 responses without a request: only one direction is seen; 1 connection seen',
  ],
  [
    'only requests seen',
    {
      frames: { seen: 10 },
      flows: { seen: 1, oneDirection: 1, protocol: { tls: 0, http1: 1 } },
      messages: { requests: 2, responses: 0 },
      requests: { abandoned: { ended: 2 } },
      pairs: { kept: 0, shipped: 0 },
    },
    {},
    'no pairs shown; 2 requests without a response (ended 2); only one direction is seen; 1 connection seen',
  ],
  [
    'everything filtered',
    {
      frames: { seen: 99 },
      flows: { seen: 2, protocol: { tls: 0, http1: 2 } },
      pairs: { kept: 0, shipped: 0, filtered: { status: 2, contentType: 40, path: 0 } },
    },
    {},
    'no pairs shown; 42 pairs filtered (contentType 40, status 2); 2 connections seen; use --all to show filtered pairs',
  ],
  [
    'everything too large, without suggesting --all',
    { frames: { seen: 9 }, flows: { seen: 1 }, pairs: { shipped: 0, filtered: { pairBytes: 1 } } },
    {},
    'no pairs shown; 1 pair filtered (pairBytes 1); 1 connection seen',
  ],
  [
    'pairs shipped, some lost',
    {
      frames: { seen: 99, kernelDropped: 3, dropped: { ring: 1 } },
      flows: { seen: 2 },
      requests: { abandoned: { timeout: 1, gap: 5 } },
      pairs: { kept: 12, shipped: 10, dropped: { rejected: 2 } },
    },
    { sink: 'kafka' },
    '10 pairs shipped to Kafka; 2 pairs dropped (rejected 2); 6 requests without a response (gap 5, timeout 1); 1 frame dropped (ring 1); 3 frames dropped by the kernel',
  ],
  [
    'counted only',
    { frames: { seen: 9 }, flows: { seen: 1 }, pairs: { kept: 1, shipped: 1 } },
    { sink: 'none' },
    '1 pair counted',
  ],
  [
    'stopped by -c',
    { frames: { seen: 9 }, flows: { seen: 1 }, pairs: { kept: 9, shipped: 3, dropped: { shutdown: 6 } } },
    { limit: 3 },
    '3 pairs shown; stopped by -c 3',
  ],
  [
    'counted only, stopped by -c',
    { frames: { seen: 9 }, flows: { seen: 1 }, pairs: { kept: 9, shipped: 3, dropped: { shutdown: 6 } } },
    { sink: 'none', limit: 3 },
    '3 pairs counted; stopped by -c 3',
  ],
  [
    'output closed by its reader',
    { frames: { seen: 9 }, flows: { seen: 1 }, pairs: { kept: 9, shipped: 3, dropped: { shutdown: 6 } } },
    {},
    null,
  ],
]

for (const [title, ledger, given, line] of cases) {
  test(`summaryLine: ${title}`, () => {
    assert.equal(summaryLine(ledger, facts(given)), line)
  })
}

test('damageLines: reports the first five places and counts the rest', () => {
  const damage = Array.from({ length: 7 }, (_, offset) => ({ path: 'x.pcap', offset, reason: 'bad length' }))
  const shown = damageLines({ ledger: {}, damage, exitCode: EXIT_DAMAGED, failure: null })
  assert.equal(shown.length, 6)
  assert.equal(shown[0], 'x.pcap: damaged at byte 0: bad length')
  assert.equal(shown[5], '2 more damaged places')
  const empty = [{ path: '-', offset: null, reason: 'the file is empty' }]
  const [line] = damageLines({ ledger: {}, damage: empty, exitCode: EXIT_DAMAGED, failure: null })
  assert.equal(line, 'standard input: the file is empty')
})
