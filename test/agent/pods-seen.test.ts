import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MOST_PODS } from '../../src/admin/pod-traffic.ts'
import { podsSeen } from '../../src/agent/pods-seen.ts'
import type { PodDecision } from '../../src/discovery/decide/decision.ts'
import { podInterface } from '../admin/agent-state.ts'
import { procPod } from '../discovery/make.ts'

const POINT = {
  scope: 'pod',
  interface: 'eth0',
  mesh: null,
  excludePorts: [],
  outboundPorts: [],
  bypass: null,
} as const

const decision = (uid: string, netns: number, isCaptured: boolean): PodDecision => ({
  pod: procPod(uid, { netns, nameHint: uid, namespaceHint: 'shop' }),
  known: null,
  mesh: null,
  ambient: false,
  captures: isCaptured ? [POINT] : [],
  reason: 'interface',
  why: 'a reason',
})

test('pods seen: assigns to each pod the interfaces of its namespace', () => {
  const interfaces = [podInterface(2, 'shop/b', { 'frames.seen': 5 }), podInterface(3, '', { 'frames.seen': 7 })]
  const { pods, leftOut } = podsSeen([decision('c', 3, false), decision('b', 2, true), decision('a', 4, true)], {
    interfaces,
    outputReachable: false,
  })
  assert.deepEqual(
    pods.map(({ name, interfaces: of, frames }) => [name, of, frames]),
    [
      ['a', [], 0],
      ['b', ['eth0'], 5],
      ['c', [], 0],
    ],
  )
  assert.deepEqual(
    pods.map((pod) => pod.advice),
    [
      'its interface is not open yet: the log has the reason',
      '5 frames and no TCP connection on eth0: only other protocols, or excluded ports',
      'not captured: a reason',
    ],
  )
  assert.equal(leftOut, 0)
})

test('pods seen: lists a bounded number of pods', () => {
  const many = Array.from({ length: MOST_PODS + 3 }, (_, i) => decision(`pod-${i}`, i, true))
  const { pods, leftOut } = podsSeen(many, { interfaces: [], outputReachable: null })
  assert.deepEqual([pods.length, leftOut], [MOST_PODS, 3])
})
