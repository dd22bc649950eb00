import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { needs } from '../../rig/needs.ts'
import { EXIT_USAGE } from '../../src/errors.ts'
import { CAPTURE, ESCAPE, finish, startOnTerminal } from './support.ts'

const skip = needs('script')
const CTRL_C = '\x03'

test('terminal: shows the progress of a long run, drains it on Ctrl-C and clears the line', {
  skip,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-terminal-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const growing = join(folder, 'growing.pcap')
  writeFileSync(growing, gunzipSync(readFileSync(CAPTURE)))
  const child = startOnTerminal(['read', '--follow', '-o', 'none', growing])
  const ended = finish(child)
  let screen = ''
  let pressed = false
  child.stdout!.on('data', (chunk: Buffer) => {
    screen += chunk.toString()
    if (pressed || !/[\d,]+ pairs, /.test(screen)) return
    pressed = true
    child.stdin!.write(CTRL_C)
  })
  const { code, stdout } = await ended
  assert.equal(code, 0, stdout)
  assert.match(stdout, /[\d.]+ kB, \d+ pairs, [\d.]+ k?B\/s/)
  const end = stdout.slice(stdout.lastIndexOf(`${ESCAPE}2K`))
  assert.match(end, /\d+ pairs counted; /)
})

test('terminal: prints text in colour', { skip }, async () => {
  const child = startOnTerminal(['read', '-q', CAPTURE])
  child.stdin!.on('error', () => {})
  const { code, stdout } = await finish(child)
  assert.equal(code, 0)
  assert.ok(stdout.includes(ESCAPE), stdout)
})

test('terminal: rejects msgpack', { skip }, async () => {
  const { code, stdout } = await finish(startOnTerminal(['read', '-o', 'msgpack', CAPTURE]))
  assert.equal(code, EXIT_USAGE)
  assert.match(stdout, /msgpack is binary/)
})

test('terminal: rejects - if standard input is a terminal', { skip }, async () => {
  const { code, stdout } = await finish(startOnTerminal(['read', '-']))
  assert.equal(code, EXIT_USAGE)
  assert.match(stdout, /which is a terminal: pipe a capture into it/)
})
