import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { InterfaceCache } from '../../../src/discovery/proc/interface-cache.ts'
import type { NetworkFacts } from '../../../src/discovery/proc/interfaces.ts'
import { ProcFiles } from '../../../src/discovery/proc/proc-files.ts'
import { type FakeNetwork, FakeProc, podNetwork } from '../fake-proc.ts'

const INODE = 4026532001
const NEW_SCANS = 10
const READ_EVERY = 16

/** A node with one network namespace, of processes 5 and 6. */
class Node {
  readonly #proc: FakeProc
  readonly #cache: InterfaceCache

  constructor(t: TestContext, network: FakeNetwork) {
    this.#proc = FakeProc.create(t)
    this.#cache = new InterfaceCache(new ProcFiles(this.#proc.root))
    this.set(network)
  }

  set(network: FakeNetwork): void {
    for (const pid of [5, 6]) this.#proc.put({ pid, netns: INODE, network })
  }

  exit(pid: number): void {
    this.#proc.remove(pid)
  }

  /** Runs one scan, which requests the namespace unless `asks` is false. */
  scan({ owner = 'a', asks = true } = {}): NetworkFacts | null {
    this.#cache.beginScan()
    return asks ? this.#cache.read(INODE, owner, [5, 6]) : null
  }

  scans(count: number): NetworkFacts | null {
    let facts: NetworkFacts | null = null
    for (let scan = 0; scan < count; scan++) facts = this.scan()
    return facts
  }
}

const addressesOf = (facts: NetworkFacts | null): readonly string[] | undefined => facts?.externalAddresses

test('interface cache: reads a new namespace in every scan, because its interface may be configured later', (t) => {
  const node = new Node(t, { devices: ['lo'] })
  for (let host = 1; host < NEW_SCANS; host++) {
    node.set(podNetwork(host))
    assert.deepEqual(addressesOf(node.scan()), [`10.244.0.${host}`])
  }
})

test('interface cache: reads an older namespace once in sixteen scans', (t) => {
  const node = new Node(t, podNetwork(1))
  const before = node.scans(NEW_SCANS + READ_EVERY)
  node.set(podNetwork(2))
  const changes = Array.from({ length: 3 * READ_EVERY }, () => node.scan()).filter((facts) => facts !== before)
  assert.ok(changes.length > 2 * READ_EVERY && changes.length < 3 * READ_EVERY)
  assert.deepEqual(addressesOf(changes[0]), ['10.244.0.2'])
  node.set(podNetwork(3))
  const later = Array.from({ length: READ_EVERY }, () => addressesOf(node.scan())?.[0])
  assert.equal(later.at(-1), '10.244.0.3')
  assert.equal(later[0], '10.244.0.2')
})

test('interface cache: returns the same object while nothing changes', (t) => {
  const node = new Node(t, podNetwork(1))
  const before = node.scan()
  for (let scan = 0; scan < 3 * READ_EVERY; scan++) assert.equal(node.scan(), before)
})

test('interface cache: reads a namespace without an external interface in every scan, however old', (t) => {
  const node = new Node(t, { devices: ['lo'] })
  assert.equal(node.scans(3 * READ_EVERY)?.external, null)
  node.set(podNetwork(7))
  assert.deepEqual(addressesOf(node.scan()), ['10.244.0.7'])
})

test('interface cache: reads through any process, and keeps the last result when all have exited', (t) => {
  const node = new Node(t, podNetwork(1))
  node.exit(5)
  const before = node.scan()
  assert.deepEqual(addressesOf(before), ['10.244.0.1'])
  node.exit(6)
  assert.equal(node.scan(), before)
})

test('interface cache: has no result for processes that exited before they were read', (t) => {
  const node = new Node(t, podNetwork(1))
  for (const pid of [5, 6]) node.exit(pid)
  assert.equal(node.scan(), null)
})

test('interface cache: reads again for a pod that reuses the inode', (t) => {
  const node = new Node(t, podNetwork(1))
  node.scans(3 * READ_EVERY)
  node.set(podNetwork(2))
  assert.deepEqual(addressesOf(node.scan({ owner: 'b' })), ['10.244.0.2'])
  for (const pid of [5, 6]) node.exit(pid)
  assert.equal(node.scan({ owner: 'c' }), null)
})

test('interface cache: drops a namespace that a scan did not request', (t) => {
  const node = new Node(t, podNetwork(1))
  node.scans(3 * READ_EVERY)
  node.scan({ asks: false })
  node.set(podNetwork(2))
  assert.deepEqual(addressesOf(node.scan()), ['10.244.0.2'])
})
