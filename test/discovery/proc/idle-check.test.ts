import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { IdleCheck } from '../../../src/discovery/proc/idle-check.ts'
import { FakeProc } from '../fake-proc.ts'
import { procPod, snapshotOf } from '../make.ts'

const SECOND = 1000

class Node {
  readonly proc: FakeProc
  readonly check: IdleCheck

  constructor(t: TestContext) {
    this.proc = FakeProc.create(t, { pid: 100, command: ['nginx'] })
    this.check = new IdleCheck(this.proc.root)
    this.setForks(1)
  }

  setForks(processes: number): void {
    writeFileSync(join(this.proc.root, 'stat'), `cpu 1 2\nctxt 9\nprocesses ${processes}\nprocs_running 1\n`)
  }

  /** Makes a scan if one is due. @returns whether the node was idle */
  poll(now: number): boolean {
    const isIdle = this.check.isIdle(now)
    if (!isIdle) this.check.recordScan(snapshotOf([procPod('a', { pid: 100 })]), now)
    return isIdle
  }
}

const pollEachSecond = (node: Node, from: number, to: number): number => {
  let idle = 0
  for (let now = from; now < to; now += SECOND) if (node.poll(now)) idle += 1
  return idle
}

test('IdleCheck: is idle ten seconds after the last fork, except for a scan every ten to thirty seconds', (t) => {
  const node = new Node(t)
  assert.equal(pollEachSecond(node, 0, 10 * SECOND), 0)
  assert.equal(pollEachSecond(node, 10 * SECOND, 30 * SECOND), 18)
  pollEachSecond(node, 30 * SECOND, 200 * SECOND)
  assert.equal(pollEachSecond(node, 200 * SECOND, 320 * SECOND), 116)
  node.setForks(2)
  assert.equal(pollEachSecond(node, 320 * SECOND, 330 * SECOND), 0)
  assert.equal(pollEachSecond(node, 330 * SECOND, 350 * SECOND), 18)
})

test('IdleCheck: a new process ends it', (t) => {
  const node = new Node(t)
  pollEachSecond(node, 0, 12 * SECOND)
  assert.equal(node.poll(12 * SECOND), true)
  node.setForks(2)
  assert.equal(pollEachSecond(node, 13 * SECOND, 23 * SECOND), 0)
})

test('IdleCheck: the exit of a pod’s process, or a reused pid, ends it', (t) => {
  const node = new Node(t)
  pollEachSecond(node, 0, 12 * SECOND)
  node.proc.put({ pid: 100, command: ['other'] })
  assert.equal(node.poll(12 * SECOND), false)
  assert.equal(node.poll(13 * SECOND), true)
  node.proc.remove(100)
  assert.equal(node.poll(14 * SECOND), false)
})

test('IdleCheck: a thread that exits makes it look at the pods’ processes, once', (t) => {
  const node = new Node(t)
  const setThreads = (threads: number): void =>
    writeFileSync(join(node.proc.root, 'loadavg'), `0.1 0.2 0.3 1/${threads} 77\n`)
  setThreads(10)
  pollEachSecond(node, 0, 12 * SECOND)
  assert.equal(node.poll(12 * SECOND), true)
  setThreads(9)
  assert.equal(node.poll(13 * SECOND), true, 'it was no pod’s')
  node.proc.remove(100)
  setThreads(8)
  assert.equal(node.poll(14 * SECOND), false)
  assert.equal(node.poll(15 * SECOND), false, 'the pod’s process is gone')
})

test('IdleCheck: is never idle if /proc/stat has no count of processes', (t) => {
  const node = new Node(t)
  writeFileSync(join(node.proc.root, 'stat'), 'cpu 1 2\n')
  assert.equal(pollEachSecond(node, 0, 30 * SECOND), 0)
})
