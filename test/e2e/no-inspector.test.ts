/** SIGUSR1 must not open the Node.js inspector, on any Node.js version. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { start } from '../cli/support.ts'

const skip = needs('linux', 'ip')
const TRIES = 12
/** In parallel, because each try waits for a second. */
const LANES = 3
const SIGUSR1 = 10

/** Ports that a process listens on. */
const listens = (pid: number): string[] =>
  execFileSync('ss', ['-Hltnp'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`pid=${pid},`))

/**
 * Waits until Node.js handles SIGUSR1, which it does soon after the start. Before, the signal would end the process.
 */
async function handlesSignal(pid: number): Promise<void> {
  for (;;) {
    const caught = /^SigCgt:\s+([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0'
    if ((BigInt(`0x${caught}`) & (1n << BigInt(SIGUSR1 - 1))) !== 0n) return
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

test('main: SIGUSR1 never opens a port, whenever it is sent after the start', { skip }, async (t) => {
  const check = async (attempt: number): Promise<void> => {
    // The program reads standard input, and so runs until that ends.
    const child = start(['read', '-'])
    t.after(() => child.kill('SIGKILL'))
    const pid = child.pid ?? 0
    await handlesSignal(pid)
    await new Promise((resolve) => setTimeout(resolve, attempt * 40))
    child.kill('SIGUSR1')
    await new Promise((resolve) => setTimeout(resolve, 1000))
    assert.equal(child.exitCode ?? child.signalCode, null)
    assert.deepEqual(listens(pid), [], `${attempt * 40} ms after the start`)
    child.kill('SIGKILL')
  }
  const lane = async (first: number): Promise<void> => {
    for (let attempt = first; attempt < TRIES; attempt += LANES) await check(attempt)
  }
  await Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)))
})
