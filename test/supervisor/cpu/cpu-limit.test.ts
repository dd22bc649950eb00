import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { cpuLimit } from '../../../src/supervisor/cpu/cpu-limit.ts'

const all = availableParallelism()
const folders: string[] = []

/** A control group's folder with these files. */
function cgroup(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'cgroup-'))
  folders.push(folder)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const legacy = (quota: string, period: string): string =>
  cgroup({ 'cpu/cpu.cfs_quota_us': quota, 'cpu/cpu.cfs_period_us': period })

describe('cpu limit', () => {
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true })
  })

  test('version 2: quota over period', () => {
    assert.equal(cpuLimit(cgroup({ 'cpu.max': '50000 100000\n' })), 0.5)
    assert.equal(cpuLimit(cgroup({ 'cpu.max': '10000 100000\n' })), 0.1)
    assert.equal(cpuLimit(cgroup({ 'cpu.max': '100000 200000' })), 0.5)
  })

  test('version 1: quota over period', () => {
    assert.equal(cpuLimit(legacy('25000\n', '100000\n')), 0.25)
  })

  test('no limit: all CPUs', () => {
    assert.equal(cpuLimit(cgroup({ 'cpu.max': 'max 100000\n' })), all)
    assert.equal(cpuLimit(legacy('-1\n', '100000\n')), all)
    assert.equal(cpuLimit(cgroup({})), all)
    assert.equal(cpuLimit('/nowhere'), all)
  })

  test('never more CPUs than exist, never zero', () => {
    assert.equal(cpuLimit(cgroup({ 'cpu.max': '99900000 100000\n' })), all)
    assert.equal(cpuLimit(cgroup({ 'cpu.max': '1 100000\n' })), 0.01)
  })

  test('unreadable numbers: all CPUs', () => {
    for (const text of ['', 'x y', '0 100000', '-5 100000', '100000', '100000 0']) {
      assert.equal(cpuLimit(cgroup({ 'cpu.max': text })), all, JSON.stringify(text))
    }
  })
})
