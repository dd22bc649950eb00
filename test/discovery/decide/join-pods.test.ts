import assert from 'node:assert/strict'
import { test } from 'node:test'
import { joinPods } from '../../../src/discovery/decide/join-pods.ts'
import { container, seen, told } from '../make.ts'

const ID = 'ab'.repeat(32)
const running = (id: string) => [{ id, runtime: 'containerd' as const, pid: 1, process: 'node' }]

test('joinPods: by uid', () => {
  const { known, unseen } = joinPods([seen('a'), seen('b')], [told('b'), told('c')])
  assert.deepEqual(
    [...known].map(([uid, pod]) => [uid, pod.name]),
    [['b', 'b']],
  )
  assert.deepEqual(
    unseen.map(({ name }) => name),
    ['c'],
  )
})

test('joinPods: a static pod by what its mirror has', () => {
  const { known, unseen } = joinPods([seen('0123')], [told('mirror', { cgroupUid: '0123' })])
  assert.deepEqual([known.get('0123')?.name, unseen], ['mirror', []])
})

test('joinPods: where the uid tells nothing, by the id of a container', () => {
  const pod = told('b', { containers: [container('app', { id: ID })] })
  assert.equal(joinPods([seen('a', { containers: running(ID) })], [pod]).known.get('a'), pod)
  assert.equal(joinPods([seen('a', { containers: running('c'.repeat(64)) })], [pod]).known.size, 0)
})

test('joinPods: what the API server has forgotten is known while it runs, and no longer', () => {
  const first = joinPods([seen('a')], [told('a')])
  const second = joinPods([seen('a')], [], first)
  assert.equal(second.known.get('a')?.name, 'a')
  assert.equal(joinPods([seen('a')], [], joinPods([], [], second)).known.size, 0)
})

test('joinPods: a pod that ended is not missed', () => {
  assert.deepEqual(joinPods([], [told('a', { phase: 'Succeeded' }), told('b', { phase: 'Failed' })]).unseen, [])
})
