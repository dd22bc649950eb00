import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { cpuLimit, cpuQuota } from '../../../src/supervisor/cpu/cpu-limit.ts'

const all = availableParallelism()
const ROOT = '/sys/fs/cgroup'

/** A system whose control groups have these files. @param own the process's groups */
const cgroup = (files: Record<string, string>, own = '0::/') => {
  const entries = new Map(Object.entries(files).map(([path, text]) => [`${ROOT}/${path}`, text]))
  entries.set('/proc/self/cgroup', own)
  return (path: string) => entries.get(path) ?? null
}

const legacy = (quota: string, period: string) =>
  cgroup({ 'cpu/cpu.cfs_quota_us': quota, 'cpu/cpu.cfs_period_us': period })

test('cpu limit: in version 2, quota over period', () => {
  assert.equal(cpuLimit(cgroup({ 'cpu.max': '50000 100000' })), 0.5)
  assert.equal(cpuLimit(cgroup({ 'cpu.max': '10000 100000' })), 0.1)
  assert.equal(cpuLimit(cgroup({ 'cpu.max': '100000 200000' })), 0.5)
})

test('cpu limit: in version 1, quota over period', () => {
  assert.equal(cpuLimit(legacy('25000', '100000')), 0.25)
})

test('cpu limit: without a quota, all CPUs', () => {
  for (const read of [cgroup({ 'cpu.max': 'max 100000' }), legacy('-1', '100000'), cgroup({}), () => null]) {
    assert.equal(cpuLimit(read), all)
    assert.equal(cpuQuota(read), null)
  }
})

test('cpu limit: never more CPUs than exist, never zero', () => {
  assert.equal(cpuLimit(cgroup({ 'cpu.max': '99900000 100000' })), all)
  assert.equal(cpuQuota(cgroup({ 'cpu.max': `${all * 100_000} 100000` })), null)
  assert.equal(cpuLimit(cgroup({ 'cpu.max': '1 100000' })), 0.01)
})

test('cpu limit: with unreadable numbers, all CPUs', () => {
  for (const text of ['', 'x y', '0 100000', '-5 100000', '100000', '100000 0']) {
    assert.equal(cpuLimit(cgroup({ 'cpu.max': text })), all, JSON.stringify(text))
  }
})

test('cpu limit: the lowest quota of the process’s group and those above it', () => {
  const service = '0::/system.slice/a.service'
  const units = { 'system.slice/cpu.max': '40000 100000', 'system.slice/a.service/cpu.max': '30000 100000' }
  assert.equal(cpuLimit(cgroup(units, service)), 0.3)
  const slice = { 'system.slice/cpu.max': '10000 100000', 'system.slice/a.service/cpu.max': 'max 100000' }
  assert.equal(cpuLimit(cgroup(slice, service)), 0.1)
  const old = { 'cpu/x/cpu.cfs_quota_us': '25000', 'cpu/x/cpu.cfs_period_us': '100000' }
  for (const line of ['4:cpu,cpuacct:/x', '1:cpu:/x', '4:cpuacct,cpu:/x']) {
    assert.equal(cpuLimit(cgroup(old, `5:memory:/y\n${line}\n0::/z`)), 0.25, line)
  }
})

test('cpu limit: the quota of the mounted group where the process’s own lies outside of it, as in a container', () => {
  for (const path of ['/kubepods/pod1/abc', '/../other']) {
    assert.equal(cpuLimit(cgroup({ 'cpu.max': '50000 100000' }, `0::${path}`)), 0.5, path)
  }
})
