import assert from 'node:assert/strict'
import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type NamedFile, rejectOverwrites, requireWritable } from '../../src/cli/overwrites.ts'
import { EXIT_RUNTIME, EXIT_USAGE, InterceptorError } from '../../src/errors.ts'

const folder = mkdtempSync(join(tmpdir(), 'interceptor-overwrites-'))
after(() => rmSync(folder, { recursive: true }))

const capture = join(folder, 'a.pcap')
writeFileSync(capture, 'x')
const [symbolic, hard] = [join(folder, 'symbolic'), join(folder, 'hard')]
symlinkSync(capture, symbolic)
linkSync(capture, hard)

const named = (path: string): NamedFile => ({ name: path, path })

const rejected = (inputs: string[], outputs: string[]): boolean => {
  try {
    rejectOverwrites(inputs.map(named), outputs.map(named))
    return false
  } catch (error) {
    assert.ok(error instanceof InterceptorError)
    assert.equal(error.exitCode, EXIT_USAGE)
    return true
  }
}

for (const [title, path] of [
  ['by its name', capture],
  ['by another spelling of its name', `${folder}/./a.pcap`],
  ['through a symbolic link', symbolic],
  ['through a hard link', hard],
]) {
  test(`rejectOverwrites: recognises an input ${title}`, () => {
    assert.ok(rejected([capture], [path]))
    assert.ok(rejected(['/dev/null', symbolic], ['/dev/null', path]))
  })
}

test('rejectOverwrites: accepts other files, devices and files that do not exist yet', () => {
  writeFileSync(join(folder, 'b.pcap'), 'x')
  assert.ok(!rejected([capture], [join(folder, 'b.pcap'), join(folder, 'new')]))
  assert.ok(!rejected(['/dev/null', join(folder, 'none')], ['/dev/null']))
})

test('rejectOverwrites: rejects one file for two outputs', () => {
  assert.ok(rejected([], [join(folder, 'new'), join(folder, 'x/../new')]))
})

test('requireWritable: names the reason before the run, and accepts what exists and what can be created', () => {
  const reasonOf = (path: string): string => {
    try {
      requireWritable(path, 'it')
      return ''
    } catch (error) {
      assert.ok(error instanceof InterceptorError)
      assert.equal(error.exitCode, EXIT_RUNTIME)
      return error.message
    }
  }
  assert.equal(reasonOf(folder), 'cannot write it: it is a directory')
  assert.equal(reasonOf(join(folder, 'none', 'file')), 'cannot write it: no such file or directory')
  assert.equal(reasonOf(join(capture, 'file')), 'cannot write it: not a directory')
  for (const path of [capture, join(folder, 'new'), '/dev/null']) assert.equal(reasonOf(path), '')
})
