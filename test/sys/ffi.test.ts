import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { needs } from '../../rig/needs.ts'
import { PROGRAM } from '../../rig/root.ts'
import { ethernet, packet, pcapFile, tcp } from '../support/frames.ts'

/**
 * Runs a command, with the log of the module system in a file, because Node.js writes it without its streams and would
 * lose what does not fit into a pipe.
 *
 * @returns whether any of its threads has required koffi
 */
const loadsKoffi = (log: string, ...args: string[]): boolean => {
  const fd = openSync(log, 'w')
  spawnSync(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, NODE_DEBUG: 'module' },
    stdio: ['ignore', 'ignore', fd],
  })
  closeSync(fd)
  const loaded = readFileSync(log, 'utf8')
  assert.match(loaded, /MODULE/, 'the module system logs what it loads')
  return /load .*koffi/.test(loaded)
}

test('ffi: reading files loads no foreign functions, live capture does', { skip: needs('linux') }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'itl-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const payload = packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: tcp(1, 80) })
  writeFileSync(join(folder, 'one.pcap'), pcapFile([ethernet({ payload })]))
  assert.equal(loadsKoffi(join(folder, 'read.log'), 'read', join(folder, 'one.pcap')), false)
  assert.equal(loadsKoffi(join(folder, 'doctor.log'), 'doctor'), true)
})
