import assert from 'node:assert/strict'
import { test } from 'node:test'
import { guessWorkload, type Owner } from '../../../src/discovery/kubernetes/workload.ts'

const owner = (kind: string, name: string, apiVersion = 'apps/v1'): Owner => ({ kind, name, apiVersion })
const NO_LABELS = {}
/** 2025-11-25T16:00:00Z is minute 29401440. */
const CREATED = Date.parse('2025-11-25T16:00:03Z') * 1000
const guess = (
  of: Owner | null,
  labels: Record<string, string> = NO_LABELS,
  createdMicros: number | null = CREATED,
) => {
  const { workload, uncertain } = guessWorkload({ owner: of, labels, createdMicros })
  return `${workload === null ? 'none' : `${workload.kind}/${workload.name}`}${uncertain ? '?' : ''}`
}

test('guessWorkload: other owners are the workload', () => {
  assert.equal(guess(null), 'none')
  assert.equal(guess(owner('StatefulSet', 'db')), 'StatefulSet/db')
  assert.equal(guess(owner('DaemonSet', 'logs')), 'DaemonSet/logs')
  assert.equal(guess(owner('Node', 'n1', 'v1')), 'Node/n1')
  assert.equal(guess(owner('CloneSet', 'web', 'apps.kruise.io/v1alpha1')), 'CloneSet/web')
  assert.equal(guess(owner('Job', 'train-29401440', 'batch.volcano.sh/v1alpha1')), 'Job/train-29401440')
})

test('guessWorkload: derives a Deployment from a ReplicaSet’s name and the pod’s hash label', () => {
  const set = owner('ReplicaSet', 'web-5d4f8c7b9d')
  assert.equal(guess(set, { 'pod-template-hash': '5d4f8c7b9d' }), 'Deployment/web')
  assert.equal(guess(owner('ReplicaSet', 'a-b-c-5d4f'), { 'pod-template-hash': '5d4f' }), 'Deployment/a-b-c')
  assert.equal(guess(set, { 'rollouts-pod-template-hash': '5d4f8c7b9d' }), 'Rollout/web')
  assert.equal(guess(set), 'ReplicaSet/web-5d4f8c7b9d?')
  assert.equal(guess(set, { 'pod-template-hash': 'other' }), 'ReplicaSet/web-5d4f8c7b9d?')
  assert.equal(guess(owner('ReplicaSet', '-5d4f'), { 'pod-template-hash': '5d4f' }), 'ReplicaSet/-5d4f?')
})

test('guessWorkload: derives a CronJob from a Job’s name with the scheduled minute', () => {
  const job = (name: string): Owner => owner('Job', name, 'batch/v1')
  assert.equal(guess(job('backup-29401440')), 'CronJob/backup')
  assert.equal(guess(job('nightly-2-29401435')), 'CronJob/nightly-2')
  assert.equal(guess(job('migrate-20251125')), 'Job/migrate-20251125?', 'a date')
  assert.equal(guess(job('backup-29391359')), 'Job/backup-29391359?', 'more than a week ago')
  assert.equal(guess(job('backup-29401451')), 'Job/backup-29401451?', 'in the future')
  assert.equal(guess(job('backup-29401440'), {}, null), 'Job/backup-29401440?')
  assert.equal(guess(job('manual')), 'Job/manual?')
})
