import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  healthText,
  LIVE_SILENCE_MS,
  liveness,
  NAMES_GRACE_MS,
  passes,
  readiness,
  SCAN_SILENCE_MS,
} from '../../src/admin/health.ts'
import type { AgentState } from '../../src/admin/state.ts'
import { agentState, observation, podInterface } from './agent-state.ts'

const well = agentState()
const thread = (silentMs: number) => [
  { role: 'ship', slot: 0, cpuSeconds: 1, silentMs, restarts: 0, state: 'ready' as const, crashLooping: false },
]

/** Lines that are not ok, and whether it passes all the same. */
function complaints(state: AgentState): [boolean, string[]] {
  const checks = readiness(state)
  const lines = healthText('readyz', checks).split('\n')
  return [passes(checks), lines.filter((line) => /^\[[!-]/.test(line))]
}

test('liveness: a line for the main loop and for each thread', () => {
  assert.equal(
    healthText('livez', liveness(well)),
    '[+]ping ok\n[+]thread/main-0 ok\n[+]thread/assemble-0 ok\nlivez check passed\n',
  )
  assert.equal(healthText('livez', liveness(agentState({ observation: null }))), '[+]ping ok\nlivez check passed\n')
})

test('liveness: fails when a thread is silent for too long, and names it', () => {
  const silent = (ms: number) => liveness(agentState({ observation: observation({ threads: thread(ms) }) }))
  assert.ok(passes(silent(LIVE_SILENCE_MS - 1)))
  assert.equal(
    healthText('livez', silent(LIVE_SILENCE_MS + 1500)),
    '[+]ping ok\n[-]thread/ship-0 failed: no heartbeat for 31 s\nlivez check failed\n',
  )
})

test('readiness: all is well', () => {
  assert.equal(
    healthText('readyz', readiness(well)),
    [
      '[+]workers ok',
      '[+]capture ok',
      '[+]discovery ok',
      '[+]watch/pods ok',
      '[+]output ok',
      '[+]configuration ok',
      '[+]shutdown ok',
      'readyz check passed\n',
    ].join('\n'),
  )
})

test('readiness: not before capture has started and one pass of discovery is done', () => {
  const failing = { ...well.discovery!, scans: 2, failures: 2 }
  assert.deepEqual(complaints(agentState({ observation: null })), [
    false,
    ['[-]capture failed: the pipeline has not started'],
  ])
  for (const discovery of [null, failing]) {
    assert.deepEqual(complaints(agentState({ discovery })), [
      false,
      ['[-]discovery failed: no pass over the node’s processes is done'],
    ])
  }
})

test('readiness: waits for the names of pods, but not for ever', () => {
  const watches = [{ ...well.watches[0], synced: false, connected: false }]
  const [early, why] = complaints(agentState({ watches, uptimeMs: NAMES_GRACE_MS - 1 }))
  assert.deepEqual([early, why], [false, ['[-]watch/pods failed: the API server has not listed pods yet']])
  assert.deepEqual(complaints(agentState({ watches, uptimeMs: NAMES_GRACE_MS })), [
    true,
    ['[!]watch/pods degraded: the API server has not listed pods; pairs go without names'],
  ])
  assert.deepEqual(
    complaints(agentState({ watches: [] })),
    [true, []],
    'without Kubernetes there is nothing to wait for',
  )
})

test('readiness: not while the agent stops', () => {
  assert.deepEqual(complaints(agentState({ draining: true })), [false, ['[-]shutdown failed: the agent is stopping']])
})

const DEGRADED: [string, Partial<AgentState>, string][] = [
  [
    'Kafka is unreachable',
    { observation: observation({ outputReachable: false }) },
    '[!]output degraded: away; 100 of 1000 bytes wait, the oldest for 2 s',
  ],
  [
    'the API server is away',
    { watches: [{ ...well.watches[0], connected: false }] },
    '[!]watch/pods degraded: the API server is away; what it said before is used',
  ],
  [
    'an interface is down',
    {
      observation: observation({
        interfaces: [{ ...podInterface(1, 'shop/a'), up: false }, podInterface(2, 'shop/b')],
      }),
    },
    '[!]capture degraded: 1 of 2 interfaces are down: eth0 of shop/a',
  ],
  [
    'discovery is late',
    { discovery: { ...well.discovery!, lastScanAgeMs: SCAN_SILENCE_MS } },
    '[!]discovery degraded: no pass over the node’s processes for 30 s',
  ],
  [
    'the configuration was refused',
    { reload: { ...well.reload, lastSuccessful: false } },
    '[!]configuration degraded: the last one was refused; the log says why',
  ],
  [
    'keys need a restart',
    { reload: { ...well.reload, needRestart: ['kafka.topic', 'ship.linger'] } },
    '[!]configuration degraded: these keys need a restart: kafka.topic, ship.linger',
  ],
]

for (const [title, parts, line] of DEGRADED) {
  test(`readiness: ready and says so when ${title}`, () => {
    assert.deepEqual(complaints(agentState(parts)), [true, [line]])
  })
}

test('readiness: an output that was never tried is no complaint', () => {
  assert.deepEqual(complaints(agentState({ observation: observation({ outputReachable: null }) })), [true, []])
})
