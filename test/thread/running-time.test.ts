import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { needs } from '../../rig/needs.ts'
import { killAtExit } from '../../rig/process-tree.ts'

const LIMIT_MS = 3_000
const STOPPED_MS = 5_000
const RUNNING_TIME = new URL('../../src/thread/running-time.js', import.meta.url).href
/** Prints how much longer than a limit on the clock one on the running time lasted. */
const PROGRAM = `
  const { afterRunning } = await import(${JSON.stringify(RUNNING_TIME)})
  let clockMs
  setTimeout(() => { clockMs = performance.now() }, ${LIMIT_MS})
  afterRunning(${LIMIT_MS}, () => console.log(performance.now() - clockMs))
  console.log('started')`

test('afterRunning: a process that was stopped for longer than the limit gets most of it afterwards', {
  skip: needs('linux'),
}, async () => {
  const child = killAtExit(spawn(process.execPath, ['--input-type=module', '-e', PROGRAM]))
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  await sleep(STOPPED_MS)
  child.kill('SIGCONT')
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  const afterClockMs = Number(output.split('\n')[1])
  // At most two seconds of the pause were counted, and the limit on the clock passed during it.
  assert.ok(afterClockMs > (LIMIT_MS - 2_000) / 2, output)
})
