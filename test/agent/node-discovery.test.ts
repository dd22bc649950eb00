import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { CaptureSet } from '../../src/agent/capture-set.ts'
import { NodeDiscovery } from '../../src/agent/node-discovery.ts'
import { AddressDirectory } from '../../src/discovery/addresses/directory.ts'
import type { KnownPod } from '../../src/discovery/kubernetes/known-pod.ts'
import { NodeScanner } from '../../src/discovery/proc/scanner.ts'
import { FakeProc, type FakeProcess, HOST_NETNS, podNetwork } from '../discovery/fake-proc.ts'
import { knownPod, rulesWith } from '../discovery/make.ts'
import { RecordingPipeline, silent } from './recording-pipeline.ts'

const uid = (index: number): string => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`

const pod = (index: number): FakeProcess => ({
  pid: index * 100,
  command: ['nginx'],
  netns: HOST_NETNS + index,
  cgroup: `/kubepods/pod${uid(index)}/${'ab'.repeat(32)}`,
  network: podNetwork(index),
})

const MORE_THAN_A_PASS = 5000

class Node {
  readonly proc: FakeProc
  readonly pipeline = new RecordingPipeline()
  readonly discovery: NodeDiscovery
  known: KnownPod[] = []

  constructor(t: TestContext, ...processes: FakeProcess[]) {
    this.proc = FakeProc.create(t, ...processes)
    this.discovery = new NodeDiscovery({
      scanner: new NodeScanner(this.proc.root),
      rules: rulesWith({ procRoot: this.proc.root }),
      knownPods: () => this.known,
      captures: new CaptureSet({ pipeline: this.pipeline, log: silent, onDenied: () => {} }),
      directory: new AddressDirectory(),
      setAddresses: (entries) => this.pipeline.setAddresses(entries),
      onChange: () => {},
      log: silent,
    })
    t.after(() => this.discovery.stop())
  }

  /** The next calls of the pipeline; empty when there are none in time. */
  async next(): Promise<string[]> {
    for (const end = Date.now() + MORE_THAN_A_PASS; Date.now() < end; ) {
      const calls = this.pipeline.take()
      if (calls.length > 0) return calls
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return []
  }
}

test('NodeDiscovery: captures existing and new pods, and releases ended ones', async (t) => {
  const node = new Node(t, pod(1), pod(2))
  node.discovery.start()
  const key = (index: number): string => `${HOST_NETNS + index}/eth0`
  assert.deepEqual(await node.next(), ['addresses 2', `add ${key(1)}`, `add ${key(2)}`])
  node.proc.put(pod(3))
  assert.deepEqual(await node.next(), ['addresses 1', `add ${key(3)}`])
  node.proc.remove(100)
  assert.deepEqual(await node.next(), ['addresses 1', `remove ${key(1)}`])
})

test('NodeDiscovery: sends a later name to the directory before it updates the capture', async (t) => {
  const node = new Node(t, pod(1))
  node.discovery.start()
  await node.next()
  node.known = [knownPod(uid(1), { labels: { app: 'shop' } })]
  node.discovery.scanSoon()
  assert.deepEqual(await node.next(), ['addresses 1', `update ${HOST_NETNS + 1}/eth0`])
})

test('NodeDiscovery: applies new rules at once', async (t) => {
  const node = new Node(t, pod(1))
  node.known = [knownPod(uid(1))]
  node.discovery.start()
  assert.deepEqual(await node.next(), ['addresses 1', `add ${HOST_NETNS + 1}/eth0`])
  node.discovery.setRules(rulesWith({ procRoot: node.proc.root, exclude: ['shop'] }))
  assert.deepEqual(await node.next(), [`remove ${HOST_NETNS + 1}/eth0`])
  assert.equal(node.discovery.decisions.pods[0]?.reason, 'namespace')
})

test('NodeDiscovery: counts a failed scan, and keeps the last result', async (t) => {
  const node = new Node(t, pod(1))
  node.discovery.start()
  await node.next()
  node.proc.remove(1)
  for (const end = Date.now() + MORE_THAN_A_PASS; node.discovery.tally.failures === 0 && Date.now() < end; ) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  assert.ok(node.discovery.tally.failures > 0)
  assert.deepEqual(node.pipeline.take(), [])
  node.proc.put({ pid: 1, command: ['init'] }, pod(2))
  assert.deepEqual(await node.next(), ['addresses 1', `add ${HOST_NETNS + 2}/eth0`])
})

test('NodeDiscovery: when the clock is set back, the addresses of all pods are held since before that', async (t) => {
  const node = new Node(t, pod(1), pod(2))
  node.discovery.start()
  await node.next()
  const now = Date.now.bind(Date)
  const mocked = t.mock.method(Date, 'now', () => now() - 3_600_000)
  assert.deepEqual(await node.next(), ['addresses 2'])
  mocked.mock.restore()
})
