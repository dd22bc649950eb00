import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { needs } from '../../rig/needs.ts'
import { giveBackMemory } from '../../src/sys/give-back.ts'

const MIB = 1024 * 1024

/** @returns resident bytes while it is not garbage yet */
function makeGarbage(): number {
  const garbage = Array.from({ length: 500_000 }, (_, i) => ({ i, text: `number ${i}` }))
  const { rss } = process.memoryUsage()
  assert.equal(garbage.at(-1)!.i, 499_999)
  return rss
}

/** Resident bytes that are pages of files. */
function residentFiles(): number {
  const [, kib] = /^RssFile:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
  return Number(kib) * 1024
}

// First: once they are given back, they are.
test('give back: the program’s own pages are resident no longer, and it goes on', { skip: needs('linux') }, () => {
  const before = residentFiles()
  giveBackMemory()
  const given = before - residentFiles()
  assert.ok(given >= 10 * MIB, `${given / MIB} of ${before / MIB} MiB`)
  assert.equal(JSON.parse(JSON.stringify({ still: [1, 2.5, 'ä'] })).still.length, 3)
})

test('give back: garbage is resident no longer, and nobody else can collect', { skip: needs('linux') }, async () => {
  const before = makeGarbage()
  // V8 unmaps on another thread.
  let given = 0
  for (let tries = 0; tries < 20 && given < 10 * MIB; tries++) {
    giveBackMemory()
    await pause(50)
    given = before - process.memoryUsage.rss()
  }
  assert.ok(given >= 10 * MIB, `${given / MIB} MiB`)
  assert.equal('gc' in globalThis, false)
})
