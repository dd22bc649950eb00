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

const healthy = agentState()
const thread = (silentMs: number) => [
  { role: 'ship', slot: 0, cpuSeconds: 1, silentMs, restarts: 0, state: 'ready' as const, crashLooping: false },
]

/** The checks that are not ok, and whether the page passes. */
function complaints(state: AgentState): [boolean, string[]] {
  const checks = readiness(state)
  const lines = healthText('readyz', checks).split('\n')
  return [passes(checks), lines.filter((line) => /^\[[!-]/.test(line))]
}

test('liveness: has a line for the main loop and for each thread', () => {
  assert.equal(
    healthText('livez', liveness(healthy)),
    '[+]ping ok\n[+]thread/main-0 ok\n[+]thread/assemble-0 ok\nlivez check passed\n',
  )
  assert.equal(healthText('livez', liveness(agentState({ observation: null }))), '[+]ping ok\nlivez check passed\n')
})

test('liveness: fails and names a thread without a heartbeat', () => {
  const silent = (ms: number) => liveness(agentState({ observation: observation({ threads: thread(ms) }) }))
  assert.ok(passes(silent(LIVE_SILENCE_MS - 1)))
  assert.equal(
    healthText('livez', silent(LIVE_SILENCE_MS + 1500)),
    '[+]ping ok\n[-]thread/ship-0 failed: no heartbeat for 31 s\nlivez check failed\n',
  )
})

test('readiness: passes for a healthy agent', () => {
  assert.equal(
    healthText('readyz', readiness(healthy)),
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

test('readiness: fails before the pipeline has started and a scan of discovery has succeeded', () => {
  const failing = { ...healthy.discovery!, scans: 2, failures: 2 }
  assert.deepEqual(complaints(agentState({ observation: null })), [
    false,
    ['[-]capture failed: the pipeline has not started'],
  ])
  for (const discovery of [null, failing]) {
    assert.deepEqual(complaints(agentState({ discovery })), [
      false,
      ['[-]discovery failed: no scan of the node’s processes has succeeded'],
    ])
  }
})

test('readiness: fails until the pods found at the start are captured', () => {
  assert.deepEqual(complaints(agentState({ start: { opening: 3, done: false } })), [
    false,
    ['[-]capture failed: 3 interfaces are being opened'],
  ])
  assert.deepEqual(complaints(agentState({ start: { opening: 0, done: false } })), [
    false,
    ['[-]capture failed: the pods of this node are not known yet'],
  ])
  assert.deepEqual(complaints(agentState({ start: { opening: 3, done: true } })), [true, []])
})

test('readiness: fails until pods are listed, for a limited time', () => {
  const watches = [{ ...healthy.watches[0], synced: false, connected: false }]
  const [early, why] = complaints(agentState({ watches, uptimeMs: NAMES_GRACE_MS - 1 }))
  assert.deepEqual([early, why], [false, ['[-]watch/pods failed: the API server has not listed pods yet']])
  assert.deepEqual(complaints(agentState({ watches, uptimeMs: NAMES_GRACE_MS })), [
    true,
    ['[!]watch/pods degraded: the API server has not listed pods; pairs have no names'],
  ])
  assert.deepEqual(
    complaints(agentState({ watches: [] })),
    [true, []],
    'without Kubernetes there is nothing to wait for',
  )
})

test('readiness: fails while the agent is stopping', () => {
  assert.deepEqual(complaints(agentState({ draining: true })), [false, ['[-]shutdown failed: the agent is stopping']])
})

const DEGRADED: [string, Partial<AgentState>, string][] = [
  [
    'Kafka is unreachable',
    { observation: observation({ outputReachable: false }) },
    '[!]output degraded: unreachable; 100 of 1000 bytes are waiting, the oldest for 2 s',
  ],
  [
    'the API server is unreachable',
    { watches: [{ ...healthy.watches[0], connected: false }] },
    '[!]watch/pods degraded: the API server is unreachable; its last state stays in effect',
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
    'nothing is captured',
    { nothingCaptured: '/proc has no process of a pod' },
    '[!]capture degraded: nothing is captured: /proc has no process of a pod',
  ],
  [
    'scans of discovery are late',
    { discovery: { ...healthy.discovery!, lastScanAgeMs: SCAN_SILENCE_MS } },
    '[!]discovery degraded: no scan of the node’s processes for 30 s',
  ],
  [
    'a reload was rejected',
    { reload: { ...healthy.reload, lastSuccessful: false } },
    '[!]configuration degraded: the last reload was rejected; the reason is in the log',
  ],
  [
    'keys require a restart',
    { reload: { ...healthy.reload, needRestart: ['kafka.topic', 'ship.linger'] } },
    '[!]configuration degraded: these keys require a restart: kafka.topic, ship.linger',
  ],
]

for (const [title, parts, line] of DEGRADED) {
  test(`readiness: passes with a warning when ${title}`, () => {
    assert.deepEqual(complaints(agentState(parts)), [true, [line]])
  })
}

test('readiness: an output that has not been used yet is not degraded', () => {
  assert.deepEqual(complaints(agentState({ observation: observation({ outputReachable: null }) })), [true, []])
})
