import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { killChildren } from '../../rig/process-tree.ts'

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
