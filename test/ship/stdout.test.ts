/** The shipper's standard output as seen by other programs: a shipper in a separate process, writing to a pipe. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'

const PROGRAM = join(import.meta.dirname, 'stdout-program.js')

interface Outcome {
  ended: boolean
  shipped: number
  dropped: number
  kept: number
  last: string
}

/** Starts the program with `count` pairs. Its outcome is a JSON line on standard error. */
function start(count: number, bodyBytes: number) {
  const child = spawn(process.execPath, [PROGRAM, String(count), String(bodyBytes)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const outcome = once(child, 'close').then(() => JSON.parse(errors) as Outcome)
  return { child, outcome }
}

test('stdout: a reader that closes the pipe ends the run without an error, and every pair is counted', async () => {
  const { child, outcome } = start(5000, 1000)
  await once(child.stdout, 'data')
  child.stdout.destroy()
  const { ended, shipped, dropped, kept, last } = await outcome
  assert.equal(ended, true)
  assert.equal(last, 'done')
  assert.ok(shipped < 5000)
  assert.equal(shipped + dropped, kept)
})

test('stdout: a slow reader receives every pair', async () => {
  const { child, outcome } = start(2000, 1000)
  let lines = 0
  for await (const chunk of child.stdout) {
    lines += (chunk as Buffer).toString('latin1').split('\n').length - 1
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  assert.equal(lines, 2000)
  assert.equal((await outcome).shipped, 2000)
})
