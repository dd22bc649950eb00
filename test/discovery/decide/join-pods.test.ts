import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinPods } from '../../../src/discovery/decide/join-pods.ts'
import { container, knownPod, procPod } from '../make.ts'

const ID = 'ab'.repeat(32)
const running = (id: string) => [{ id, runtime: 'containerd' as const, pid: 1, process: 'node' }]

test('joinPods: matches by uid', () => {
  const { known, unseen } = joinPods([procPod('a'), procPod('b')], [knownPod('b'), knownPod('c')])
  assert.deepEqual(
    [...known].map(([uid, pod]) => [uid, pod.name]),
    [['b', 'b']],
  )
  assert.deepEqual(
    unseen.map(({ name }) => name),
    ['c'],
  )
})

test('joinPods: matches a static pod by its mirror’s config hash', () => {
  const { known, unseen } = joinPods([procPod('0123')], [knownPod('mirror', { cgroupUid: '0123' })])
  assert.deepEqual([known.get('0123')?.name, unseen], ['mirror', []])
})

test('joinPods: falls back to the id of a container', () => {
  const pod = knownPod('b', { containers: [container('app', { id: ID })] })
  assert.equal(joinPods([procPod('a', { containers: running(ID) })], [pod]).known.get('a'), pod)
  assert.equal(joinPods([procPod('a', { containers: running('c'.repeat(64)) })], [pod]).known.size, 0)
})

test('joinPods: keeps the record of a removed pod while it still runs', () => {
  const first = joinPods([procPod('a')], [knownPod('a')])
  const second = joinPods([procPod('a')], [], first)
  assert.equal(second.known.get('a')?.name, 'a')
  assert.equal(joinPods([procPod('a')], [], joinPods([], [], second)).known.size, 0)
})

test('joinPods: does not report ended pods as unseen', () => {
  assert.deepEqual(joinPods([], [knownPod('a', { phase: 'Succeeded' }), knownPod('b', { phase: 'Failed' })]).unseen, [])
})
