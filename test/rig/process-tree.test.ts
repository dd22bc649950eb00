import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { endChildren, killChildren } from '../../rig/process-tree.ts'

test('process tree: kills a child that ignores SIGTERM and its own child, and no others', async () => {
  const script = 'trap "" TERM; sleep 300 & echo $!; wait'
  const child = spawn('sh', ['-c', script, 'process-tree-victim'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const other = spawn('sleep', ['300'])
  const [output] = (await once(child.stdout, 'data')) as [Buffer]
  const grandchild = Number(output.toString())
  child.kill('SIGTERM')
  assert.equal(killChildren('process-tree-victim'), 2)
  // Both held the pipe, so its end shows that both have ended.
  const [, signal] = await once(child, 'close')
  assert.equal(signal, 'SIGKILL')
  assert.ok(grandchild > 0)
  assert.equal(other.exitCode, null)
  other.kill('SIGKILL')
  await once(other, 'close')
})

test('process tree: kills nothing if no child has the text in its command line', () => {
  assert.equal(killChildren('no process has this in its command line'), 0)
})

/** Starts a shell with a child, which holds the shell's output open. */
async function startFamily(name: string, trap: string): Promise<ChildProcess> {
  const script = `${trap}; sleep 300 & echo started; wait; wait`
  const child = spawn('sh', ['-c', script, name], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  return child
}

test('process tree: lets a child clean up after SIGTERM, then kills what it has left behind', async () => {
  const closed = once(await startFamily('process-tree-tidy', 'trap "exit 7" TERM'), 'close')
  await endChildren('process-tree-tidy', 60_000)
  assert.deepEqual(await closed, [7, null])
})

test('process tree: kills a child that does not end after SIGTERM in time, and its own child', async () => {
  const closed = once(await startFamily('process-tree-deaf', 'trap "" TERM'), 'close')
  await endChildren('process-tree-deaf', 100)
  assert.deepEqual(await closed, [null, 'SIGKILL'])
})
