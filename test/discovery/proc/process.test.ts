import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs } from '../../../rig/needs.ts'
import { DENIED, GONE, ProcFiles } from '../../../src/discovery/proc/proc-files.ts'
import { parseHints, parseStat, readNetns, readProcess } from '../../../src/discovery/proc/process.ts'
import { FakeProc, HOST_NETNS } from '../fake-proc.ts'

test('parseStat: accepts a name with parentheses and spaces', () => {
  const text = `42 (a) b (c)) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1000 20\n`
  assert.deepEqual(parseStat(text), { kernelName: 'a) b (c)', startTicks: 12345 })
})

const environments: [string, string, { podName?: string; hostName?: string; namespace?: string }][] = [
  ['an empty environment', '', {}],
  ['HOSTNAME', 'PATH=/bin\0HOSTNAME=shop-0\0', { hostName: 'shop-0' }],
  ['Istio’s', 'POD_NAME=shop-0\0POD_NAMESPACE=shop\0', { podName: 'shop-0', namespace: 'shop' }],
  ['Linkerd’s', '_pod_ns=shop\0_pod_name=shop-0\0', { podName: 'shop-0', namespace: 'shop' }],
  ['a variable that ends with the name', 'MY_HOSTNAME=x\0XHOSTNAME=y\0', {}],
  ['a truncated environment', 'A=b\0HOSTNAME=shop', { hostName: 'shop' }],
  ['values that are not Kubernetes names', 'HOSTNAME=Big Box\0POD_NAME=\0POD_NAMESPACE=a\nb\0', {}],
]

for (const [title, text, expected] of environments) {
  test(`parseHints: ${title}`, () => {
    assert.deepEqual(parseHints(text), { podName: null, hostName: null, namespace: null, ...expected })
  })
}

const names: [string, string[], string][] = [
  ['a path', ['/usr/local/bin/envoy', '-c', 'x'], 'envoy'],
  ['a title', ['nginx: master process /usr/sbin/nginx -g daemon off;'], 'nginx'],
  ['the kernel without a command line', [], 'kworker/0:1'],
]

for (const [title, command, name] of names) {
  test(`readProcess: name from ${title}`, (t) => {
    const cgroup = `/docker/${'a'.repeat(64)}`
    const proc = FakeProc.create(t, { pid: 5, command, kernelName: 'kworker/0:1', cgroup })
    const facts = readProcess(new ProcFiles(proc.root), 5, HOST_NETNS)
    assert.equal(typeof facts === 'symbol' ? facts : facts.name, name)
  })
}

test('readProcess: does not read command line and environment of the host’s own processes', (t) => {
  const proc = FakeProc.create(t, { pid: 5, command: ['sshd', 'secret'], env: { HOSTNAME: 'h' } })
  const facts = readProcess(new ProcFiles(proc.root), 5, HOST_NETNS)
  assert.ok(typeof facts !== 'symbol')
  assert.deepEqual([facts.name, facts.command, facts.hints.hostName], ['sshd', '', null])
})

test('ProcFiles: cuts a file at the limit, and grows its buffer for a longer one', (t) => {
  const proc = FakeProc.create(t, { pid: 5, command: ['x'.repeat(300_000)] })
  const files = new ProcFiles(`${proc.root}/`)
  assert.deepEqual([files.read('5/cmdline', 10), String(files.read('5/cmdline')).length], ['xxxxxxxxxx', 300_001])
})

test('ProcFiles: reports missing files as gone', (t) => {
  const files = new ProcFiles(FakeProc.create(t).root)
  assert.deepEqual([files.read('9/stat'), files.readLink('9/ns/net'), files.inode('9')], [GONE, GONE, GONE])
})

test('ProcFiles: lists all numeric folders with their inodes', (t) => {
  const proc = FakeProc.create(t)
  const pids = Array.from({ length: 4000 }, (_, i) => 10_000 + i * 7)
  for (const pid of pids) mkdirSync(join(proc.root, String(pid)))
  for (const name of ['12a', 'a12', '-5', 'self']) mkdirSync(join(proc.root, name))
  const files = new ProcFiles(proc.root)
  const listed = files.processes()
  assert.ok(typeof listed !== 'symbol')
  assert.deepEqual(
    listed.map(({ pid }) => pid),
    [1, ...pids],
  )
  for (const { pid, inode } of [listed[0], listed.at(-1)!]) assert.equal(inode, files.inode(String(pid)))
  assert.equal(new ProcFiles(join(proc.root, 'nowhere')).processes(), GONE)
})

test('ProcFiles: reports a missing permission as denied', { skip: needs('linux', 'root') }, (t) => {
  const files = new ProcFiles('/proc')
  process.seteuid!('nobody')
  t.after(() => process.seteuid!(0))
  assert.equal(readNetns(files, 1), DENIED)
})
