import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryLimit } from '../../src/doctor/memory-limit.ts'

const MACHINE = 16_000_000_000
const files = (entries: Record<string, string>) => (path: string) => entries[path] ?? null

test('memoryLimit: returns the machine’s memory without a limit', () => {
  const read = files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': 'max' })
  assert.deepEqual(memoryLimit(read, MACHINE), { bytes: MACHINE, cgroup: false })
})

test('memoryLimit: reads a container’s limit in cgroup v2', () => {
  const read = files({ '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.max': '268435456' })
  assert.deepEqual(memoryLimit(read, MACHINE), { bytes: 268_435_456, cgroup: true })
})

test('memoryLimit: returns the least of a group and its ancestors', () => {
  const read = files({
    '/proc/self/cgroup': '0::/kubepods.slice/pod1\n',
    '/sys/fs/cgroup/kubepods.slice/memory.max': '100000000',
    '/sys/fs/cgroup/kubepods.slice/pod1/memory.max': '200000000',
  })
  assert.equal(memoryLimit(read, MACHINE).bytes, 100_000_000)
})

test('memoryLimit: reads a limit in cgroup v1', () => {
  const read = files({
    '/proc/self/cgroup': '5:cpu,cpuacct:/a\n3:memory:/docker/x\n',
    '/sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes': '123456789',
    '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
  })
  assert.deepEqual(memoryLimit(read, MACHINE), { bytes: 123_456_789, cgroup: true })
})

test('memoryLimit: returns the machine’s memory if nothing can be read', () => {
  assert.deepEqual(memoryLimit(files({}), MACHINE), { bytes: MACHINE, cgroup: false })
})
