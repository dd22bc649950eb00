import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ethernet, packet, pcapFile, tcp } from '../support/frames.ts'
import { needs } from '../support/needs.ts'

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url))

/** Runs a command. @returns whether any of its threads has required koffi */
const loadsKoffi = (...args: string[]): boolean => {
  const env = { ...process.env, NODE_DEBUG: 'module' }
  const { stderr } = spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', env, maxBuffer: 2 ** 28 })
  assert.match(stderr, /MODULE/, 'the module system tells what it loads')
  return /load .*koffi/.test(stderr)
}

test('ffi: reading files loads no foreign functions, looking at capture does', { skip: needs('linux') }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'itl-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const payload = packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(1, 80) })
  writeFileSync(join(folder, 'one.pcap'), pcapFile([ethernet({ payload })]))
  assert.equal(loadsKoffi('read', join(folder, 'one.pcap')), false)
  assert.equal(loadsKoffi('doctor'), true)
})
