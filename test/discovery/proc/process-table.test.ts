import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { type Listed, ProcFiles } from '../../../src/discovery/proc/proc-files.ts'
import { type ProcessFacts, readProcess } from '../../../src/discovery/proc/process.ts'
import { ProcessTable } from '../../../src/discovery/proc/process-table.ts'
import { FakeProc, HOST_NETNS, UPTIME } from '../fake-proc.ts'

const READ_EVERY = 64
const TICKS_PER_SECOND = 100
const POD = '/kubepods/pod00000000-0000-4000-8000-000000000001/'
const cgroup = `${POD}${'a'.repeat(64)}`
/** Started five seconds ago. */
const YOUNG = (UPTIME - 5) * TICKS_PER_SECOND

/** A node whose processes are read again in each scan. */
class Node {
  readonly proc: FakeProc
  readonly files: ProcFiles
  readonly #table: ProcessTable

  constructor(t: TestContext) {
    this.proc = FakeProc.create(t)
    this.proc.remove(1)
    this.files = new ProcFiles(this.proc.root)
    this.#table = new ProcessTable(this.files)
  }

  put(pid: number, name: string, startTicks = pid): void {
    this.proc.put({ pid, command: [name], cgroup, startTicks })
  }

  /** Changes a process without replacing it, as exec does. */
  exec(pid: number, name: string): void {
    this.proc.rewrite(pid, 'cmdline', `${name}\0`)
  }

  listed(): Listed[] {
    return this.files.processes() as Listed[]
  }

  scan(): readonly ProcessFacts[] {
    return this.#table.refresh(this.listed(), HOST_NETNS).facts
  }

  scans(count: number): readonly ProcessFacts[] {
    for (let scan = 1; scan < count; scan++) this.scan()
    return this.scan()
  }
}

const names = (facts: readonly ProcessFacts[]): string[] => facts.map(({ pid, name }) => `${pid} ${name}`)

test('process table: lists processes by pid, and returns the same objects while nothing changes', (t) => {
  const node = new Node(t)
  for (const pid of [300, 20, 100]) node.put(pid, `p${pid}`)
  const before = node.scan()
  assert.deepEqual(names(before), ['20 p20', '100 p100', '300 p300'])
  for (let scan = 0; scan < 2 * READ_EVERY; scan++) {
    for (const [index, facts] of node.scan().entries()) assert.equal(facts, before[index])
  }
})

test('process table: notices an exec of a young process at once, and of an older one within 64 scans', (t) => {
  const node = new Node(t)
  node.put(10, 'a', YOUNG)
  node.put(20, 'b')
  node.scans(READ_EVERY)
  node.exec(10, 'c')
  node.exec(20, 'd')
  const seen = Array.from({ length: READ_EVERY }, () => names(node.scan()))
  assert.equal(seen[0][0], '10 c')
  assert.equal(seen.filter(([, older]) => older === '20 d').length > 0, true)
  assert.equal(seen.at(-1)![1], '20 d')
})

test('process table: reads a process of the container runtime in every scan, however old', (t) => {
  const node = new Node(t)
  node.put(20, 'runc:[2:INIT]')
  node.scans(READ_EVERY)
  node.exec(20, 'nginx')
  assert.deepEqual(names(node.scan()), ['20 nginx'])
})

test('process table: forgets processes that exit, and recognises a reused pid by its inode', (t) => {
  const node = new Node(t)
  node.put(20, 'a')
  node.put(30, 'b')
  node.scans(3)
  node.proc.remove(30)
  assert.deepEqual(names(node.scan()), ['20 a'])
  node.put(20, 'c')
  assert.deepEqual(names(node.scan()), ['20 c'])
})

const step = fc.record({
  do: fc.constantFrom('put', 'remove', 'exec', 'scan'),
  pid: fc.integer({ min: 10, max: 14 }),
  name: fc.constantFrom('a', 'b', 'c'),
  young: fc.boolean(),
})

test('process table: agrees with reading everything after 64 scans, whatever happened before', (t) => {
  const node = new Node(t)
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
      const young = new Set<number>()
      for (const one of steps) {
        const exists = node.listed().some(({ pid }) => pid === one.pid)
        if (one.do === 'put') {
          node.put(one.pid, one.name, one.young ? YOUNG : one.pid)
          if (one.young) young.add(one.pid)
          else young.delete(one.pid)
        } else if (one.do === 'remove') node.proc.remove(one.pid)
        else if (one.do === 'exec' && exists) node.exec(one.pid, one.name)
        else if (one.do === 'scan') {
          const facts = node.scan()
          const listed = node.listed().map(({ pid }) => pid)
          assert.deepEqual(
            facts.map(({ pid }) => pid),
            listed,
          )
          for (const known of facts) {
            if (young.has(known.pid)) assert.deepEqual(known, readProcess(node.files, known.pid, HOST_NETNS))
          }
        }
      }
      const fresh = node.listed().map(({ pid }) => readProcess(node.files, pid, HOST_NETNS))
      assert.deepEqual(node.scans(READ_EVERY), fresh)
    }),
    { numRuns: 15 },
  )
})
