import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OutputFile } from '../../src/output/output-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'output-'))
after(() => rmSync(folder, { recursive: true, force: true }))

let files = 0
const newPath = (): string => {
  files += 1
  return join(folder, `file-${files}`)
}

/** Writes a record and all that is pending. */
function put(output: OutputFile, text: string, nowMs = Date.now()): void {
  output.closeIfDue(nowMs)
  assert.equal(output.open(), 'ok')
  assert.equal(output.write(text), 'ok')
  assert.equal(output.flush(), 'ok')
}

test('output file: replaces a file, or appends to it', () => {
  for (const append of [false, true]) {
    const path = newPath()
    writeFileSync(path, 'old ')
    const output = new OutputFile({ path, append }, null)
    put(output, 'new')
    output.close()
    assert.equal(readFileSync(path, 'utf8'), append ? 'old new' : 'new')
  }
})

test('output file: continues after the last whole record of its previous writer', () => {
  for (const append of [false, true]) {
    const path = newPath()
    writeFileSync(path, 'whole\nhal')
    const output = new OutputFile({ path, append }, 6)
    put(output, 'next\n')
    assert.equal(output.size, 11)
    output.close()
    assert.equal(readFileSync(path, 'utf8'), 'whole\nnext\n')
  }
})

test('output file: opens a new file when the old one is moved, without a signal', () => {
  const path = newPath()
  const output = new OutputFile({ path, append: true }, null)
  put(output, 'one\n')
  renameSync(path, `${path}.moved`)
  put(output, 'two\n')
  rmSync(path)
  put(output, 'three\n')
  output.close()
  assert.equal(readFileSync(`${path}.moved`, 'utf8'), 'one\n')
  assert.equal(readFileSync(path, 'utf8'), 'three\n')
  assert.equal(output.written, 14)
})

test('output file: completes a document in the file in which it began', () => {
  const path = newPath()
  const output = new OutputFile({ path, append: false }, null)
  put(output, 'one\n')
  renameSync(path, `${path}.moved`)
  put(output, 'two\n')
  output.close()
  assert.equal(readFileSync(`${path}.moved`, 'utf8'), 'one\ntwo\n')
})

test('output file: rotates by size, and keeps the configured number of files', () => {
  const path = newPath()
  const rotation = { maxBytes: 10, maxAgeMs: Infinity, keep: 2 }
  const output = new OutputFile({ path, append: true, rotation }, null)
  const nowMs = Date.parse('2026-11-28T12:00:00Z')
  for (let number = 0; number < 10; number += 1) put(output, `line ${number}\n`, nowMs + number * 1000)
  output.close()
  const names = readdirSync(folder).filter((name) => name.startsWith(`${path.slice(folder.length + 1)}.`))
  assert.deepEqual(
    names.map((name) => name.slice(name.indexOf('.') + 1)),
    ['20261128T120006.000Z', '20261128T120008.000Z'],
  )
  assert.equal(readFileSync(path, 'utf8'), 'line 8\nline 9\n')
  assert.equal(readFileSync(join(folder, names[1]), 'utf8'), 'line 6\nline 7\n')
})

test('output file: rotates by age, but no empty file', () => {
  const path = newPath()
  const rotation = { maxBytes: Infinity, maxAgeMs: 60_000, keep: Infinity }
  const output = new OutputFile({ path, append: true, rotation }, null)
  const nowMs = Date.now()
  assert.equal(output.open(), 'ok')
  output.closeIfDue(nowMs + 61_000)
  put(output, 'one\n', nowMs)
  put(output, 'two\n', nowMs + 59_000)
  put(output, 'three\n', nowMs + 61_000)
  output.close()
  assert.equal(readFileSync(path, 'utf8'), 'three\n')
})

test('output file: after the clock was set back, the oldest rotated file is removed, not the newest', () => {
  const path = newPath()
  const rotation = { maxBytes: 10, maxAgeMs: Infinity, keep: 2 }
  const output = new OutputFile({ path, append: true, rotation }, null)
  const nowMs = Date.parse('2026-11-28T12:00:00Z')
  for (let number = 0; number < 10; number += 1) {
    put(output, `line ${number}\n`, nowMs + number * 1000 - (number < 5 ? 0 : 3_600_000))
  }
  output.close()
  const names = readdirSync(folder).filter((name) => name.startsWith(`${path.slice(folder.length + 1)}.`))
  assert.deepEqual(
    names.map((name) => [name.slice(name.indexOf('.') + 1), readFileSync(join(folder, name), 'utf8')]),
    [
      ['20261128T120004.001Z', 'line 4\nline 5\n'],
      ['20261128T120004.002Z', 'line 6\nline 7\n'],
    ],
  )
})

test('output file: a file that is named as a rotated one, but after no time, changes nothing', () => {
  const path = newPath()
  const other = `${path}.99999999T999999.999Z`
  writeFileSync(other, '')
  const rotation = { maxBytes: 4, maxAgeMs: Infinity, keep: 1 }
  const output = new OutputFile({ path, append: true, rotation }, null)
  const nowMs = Date.parse('2026-11-28T12:00:00Z')
  for (const line of ['one\n', 'two\n', 'three\n']) put(output, line, nowMs)
  output.close()
  const names = readdirSync(folder).filter((name) => name.startsWith(`${basename(path)}.`))
  assert.deepEqual(names, [`${basename(path)}.20261128T120000.001Z`, basename(other)])
  assert.equal(readFileSync(path, 'utf8'), 'three\n')
})

test('output file: rotates by age although the clock was set back', async () => {
  const path = newPath()
  const rotation = { maxBytes: Infinity, maxAgeMs: 20, keep: Infinity }
  const output = new OutputFile({ path, append: true, rotation }, null)
  put(output, 'one\n', Date.now())
  await sleep(rotation.maxAgeMs + 1)
  put(output, 'two\n', Date.now() - 3_600_000)
  output.close()
  assert.equal(readFileSync(path, 'utf8'), 'two\n')
})

test('output file: does not wait for a FIFO’s reader, or for one that stops reading', () => {
  const path = newPath()
  execFileSync('mkfifo', [path])
  const output = new OutputFile({ path, append: false }, null)
  assert.equal(output.open(), 'later')
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  assert.equal(output.open(), 'ok')
  const sent = Buffer.alloc(300_000, 'x')
  assert.equal(output.write(sent), 'later')
  assert.equal(output.write('end'), 'ok', 'what is written meanwhile stays pending')
  assert.equal(output.flush(), 'later')
  const received: Buffer[] = []
  while (output.flush() === 'later') {
    const chunk = Buffer.alloc(65_536)
    received.push(chunk.subarray(0, readSync(reader, chunk)))
  }
  const rest = Buffer.alloc(100_000)
  received.push(rest.subarray(0, readSync(reader, rest)))
  assert.equal(Buffer.concat(received).toString(), `${sent}end`)
  closeSync(reader)
  output.write('more')
  assert.equal(output.flush(), 'closed')
  output.close()
})

test('output file: reports an output that cannot be opened as an error', () => {
  const result = new OutputFile({ path: join(folder, 'none', 'such'), append: true }, null).open()
  assert.ok(result instanceof Error && /ENOENT/.test(result.message))
})

test('output file: reports a socket as an error, and opens a FIFO without a reader later', async (t) => {
  const path = newPath()
  const server = createServer().listen(path)
  t.after(() => server.close())
  await once(server, 'listening')
  const opened = new OutputFile({ path, append: false }, null).open()
  assert.ok(opened instanceof Error)
  const fifo = newPath()
  execFileSync('mkfifo', [fifo])
  assert.equal(new OutputFile({ path: fifo, append: false }, null).open(), 'later')
})
