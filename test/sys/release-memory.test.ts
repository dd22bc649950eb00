import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { needs } from '../../rig/needs.ts'
import { releaseStartMemory } from '../../src/sys/release-memory.ts'

const MIB = 1024 * 1024

/** Allocates objects that become garbage. @returns resident bytes while they were in use */
function makeGarbage(): number {
  const garbage = Array.from({ length: 500_000 }, (_, i) => ({ i, text: `number ${i}` }))
  const { rss } = process.memoryUsage()
  assert.equal(garbage.at(-1)!.i, 499_999)
  return rss
}

/** Resident bytes of file-backed pages. */
function residentFiles(): number {
  const [, kib] = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kib) * 1024
}

// This test comes first, because the pages can be discarded only once.
test('release memory: discards the program’s own pages, and the program continues', { skip: needs('linux') }, () => {
  const before = residentFiles()
  releaseStartMemory()
  const released = before - residentFiles()
  assert.ok(released >= 10 * MIB, `${released / MIB} of ${before / MIB} MiB`)
  assert.equal(JSON.parse(JSON.stringify({ still: [1, 2.5, 'ä'] })).still.length, 3)
})

test('release memory: returns the memory of garbage, and exposes no `gc`', { skip: needs('linux') }, async () => {
  const before = makeGarbage()
  // V8 unmaps memory on another thread.
  let released = 0
  for (let tries = 0; tries < 20 && released < 10 * MIB; tries++) {
    releaseStartMemory()
    await pause(50)
    released = before - process.memoryUsage.rss()
  }
  assert.ok(released >= 10 * MIB, `${released / MIB} MiB`)
  assert.equal('gc' in globalThis, false)
})
