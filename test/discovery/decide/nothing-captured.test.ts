import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decide } from '../../../src/discovery/decide/decide.ts'
import type { TargetRules } from '../../../src/discovery/decide/decision.ts'
import { nothingCaptured } from '../../../src/discovery/decide/nothing-captured.ts'
import type { Pod, Snapshot } from '../../../src/discovery/proc/snapshot.ts'
import { HOST, onHost, procPod, rulesWith, snapshotOf } from '../make.ts'

const BARE = { ...HOST, allAddresses: [] }

/** The report about a node. */
function said(pods: readonly Pod[], changes: Partial<Snapshot>, rules: Partial<TargetRules> = {}) {
  const [snapshot, all] = [snapshotOf(pods, changes), rulesWith(rules)]
  return nothingCaptured(snapshot, decide(snapshot, { known: new Map() }, all), all)
}

test('nothing captured: reports nothing if a pod or an interface is captured', () => {
  assert.equal(said([procPod('a')], {}), null)
  assert.equal(said([onHost('a')], {}), null)
  assert.equal(said([], {}, { hostInterfaces: ['eth0'] }), null)
})

test('nothing captured: names capture.interfaces on a host that has only loopback addresses', () => {
  for (const hostInterfaces of [['any'], ['eth0', 'eth1']]) {
    assert.match(said([], { host: BARE }, { hostInterfaces })!.why, /^capture\.interfaces is set, but no interface/)
  }
})

test('nothing captured: names the processes that could not be read, or the folder that has no pods', () => {
  assert.match(said([], { processes: 3, denied: 12 })!.why, /12 processes could not be read/)
  assert.match(
    said([], { processes: 90, denied: 1 }, { procRoot: '/host/proc' })!.why,
    /^\/host\/proc has no process of a pod/,
  )
})

test('nothing captured: counts the reasons for which pods are not captured, the most frequent first', () => {
  const pods = ['a', 'b', 'c'].map((uid) =>
    procPod(uid, uid === 'a' ? { external: null } : { sandbox: 'a virtual machine' }),
  )
  const { why, hint } = said(pods, {})!
  assert.equal(
    why,
    'no pod is captured (2: a virtual machine; 1: no interface except loopback has an address or a route)',
  )
  assert.match(hint, /interceptor pods/)
  assert.match(said([onHost('a')], { host: BARE })!.why, /^no pod is captured \(1: /)
  const many = ['1', '2', '3', '4'].map((uid) => procPod(uid, { sandbox: `reason ${uid}` }))
  assert.match(said(many, {})!.why, /reason 3; …\)$/)
})
