import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { QuietNode } from '../../../src/discovery/proc/idle-check.ts'
import { FakeProc } from '../fake-proc.ts'
import { seen, snapshotOf } from '../make.ts'

const SECOND = 1000

class Node {
  readonly proc: FakeProc
  readonly quiet: QuietNode

  constructor(t: TestContext) {
    this.proc = FakeProc.create(t, { pid: 100, command: ['nginx'] })
    this.quiet = new QuietNode(this.proc.root)
    this.started(1)
  }

  started(processes: number): void {
    writeFileSync(join(this.proc.root, 'stat'), `cpu 1 2\nctxt 9\nprocesses ${processes}\nprocs_running 1\n`)
  }

  /** A pass where one is due. @returns whether it was not */
  look(now: number): boolean {
    const isQuiet = this.quiet.isQuiet(now)
    if (!isQuiet) this.quiet.passed(snapshotOf([seen('a', { pid: 100 })]), now)
    return isQuiet
  }
}

const lookEachSecond = (node: Node, from: number, to: number): number => {
  let quiet = 0
  for (let now = from; now < to; now += SECOND) if (node.look(now)) quiet += 1
  return quiet
}

test('quiet: not for ten seconds after a process was started, then but for a pass each five seconds', (t) => {
  const node = new Node(t)
  assert.equal(lookEachSecond(node, 0, 10 * SECOND), 0)
  assert.equal(lookEachSecond(node, 10 * SECOND, 30 * SECOND), 16)
})

test('quiet: a process that is started ends it', (t) => {
  const node = new Node(t)
  lookEachSecond(node, 0, 12 * SECOND)
  assert.equal(node.look(12 * SECOND), true)
  node.started(2)
  assert.equal(lookEachSecond(node, 13 * SECOND, 23 * SECOND), 0)
})

test('quiet: a pod whose process is gone, or another’s by now, ends it', (t) => {
  const node = new Node(t)
  lookEachSecond(node, 0, 12 * SECOND)
  node.proc.put({ pid: 100, command: ['other'] })
  assert.equal(node.look(12 * SECOND), false)
  assert.equal(node.look(13 * SECOND), true)
  node.proc.remove(100)
  assert.equal(node.look(14 * SECOND), false)
})

test('quiet: a system that does not tell is never quiet', (t) => {
  const node = new Node(t)
  writeFileSync(join(node.proc.root, 'stat'), 'cpu 1 2\n')
  assert.equal(lookEachSecond(node, 0, 30 * SECOND), 0)
})
