/** The program with kept code, without, and with a file that must not be used: the same pairs each time. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { PROGRAM, ROOT } from '../../rig/root.ts'
import { keptCodePath, nativeFunction } from '../../src/sys/kept-code.ts'

const FIXTURES = join(ROOT, 'test', 'fixtures')
const CAPTURES = readdirSync(FIXTURES)
  .filter((name) => name.endsWith('.pcap.gz'))
  .map((name) => join(FIXTURES, name))
/** A small file, which is read in the main thread; and more than a megabyte, for which the program is posted to another thread. */
const INPUTS = [[join(ROOT, 'examples', 'shop.pcap.gz')], CAPTURES]
/** Reports each program that is compiled. */
const REPORT = `
  import { writeSync } from 'node:fs'
  WebAssembly.Module = class extends WebAssembly.Module {
    constructor(program) {
      super(program)
      writeSync(2, 'compiled')
    }
  }`
const HEADER_BYTES = 16
/** What a run that prints JSON uses: the assembler's program, the intake's, and that of JSON. */
const PRINTING_PROGRAMS = 3
/** The build's: these, and that of Kafka's checksums. */
const BUILT_PROGRAMS = 4
const ALL_COMPILED = new RegExp(`^(?:compiled){${PRINTING_PROGRAMS}}$`)

const keepsCode = nativeFunction('module', 'SerializeWasmModule') !== undefined
const skip = keepsCode ? false : 'V8 of this Node.js cannot serialize a module'

let folder: string
/** The programs of the copied bundle, by name: .wasm files. */
let core: string
let jsonCore: string
let expected: string[]
/** What the build has said of the code that it keeps. */
let kept: string

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'kept-code-test-'))
  const bundle = join(folder, 'dist', 'bundle')
  cpSync(dirname(PROGRAM), bundle, { recursive: true, filter: (path) => !path.endsWith('.code') })
  cpSync(join(ROOT, 'package.json'), join(folder, 'package.json'))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  core = join(bundle, 'assemble', 'core.wasm')
  jsonCore = join(bundle, 'pair', 'json-core.wasm')
  expected = INPUTS.map((files) => read(files).stdout)
  const build = spawnSync(process.execPath, [join(ROOT, 'dist', 'scripts', 'keep-code.js'), bundle], {
    encoding: 'utf8',
  })
  assert.equal(build.status, 0)
  kept = build.stderr
})

after(() => rmSync(folder, { recursive: true }))

interface Run {
  status: number | null
  stdout: string
  stderr: string
}

/** Reads captures with the copied bundle. @param options of Node.js */
function read(files: readonly string[], ...options: string[]): Run {
  const main = join(folder, 'dist', 'bundle', 'main.js')
  const args = [...options, main, 'read', '--all', '-o', 'ndjson', '-q', ...files]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
    timeout: 60_000,
  })
  return { status, stdout, stderr }
}

/** @param input index of INPUTS; @param compiled what is reported of it */
function assertSamePairs(input: number, compiled: RegExp, ...options: string[]): void {
  const report = ['--import', `data:text/javascript,${encodeURIComponent(REPORT)}`]
  const { status, stdout, stderr } = read(INPUTS[input], ...report, ...options)
  assert.equal(status, 0, stderr)
  assert.match(stderr, compiled)
  assert.ok(stdout === expected[input], 'other pairs than without kept code')
}

test('kept code: the same pairs as without, and nothing is compiled', { skip }, () => {
  assert.equal(kept, '')
  assert.ok(expected.every((pairs) => pairs.split('\n').length > 50))
  for (const input of INPUTS.keys()) assertSamePairs(input, /^$/)
})

test('kept code: the build says that there is none', {
  skip: keepsCode && 'V8 of this Node.js can serialize a module',
}, () => {
  const lines = kept.trimEnd().split('\n')
  assert.equal(lines.length, BUILT_PROGRAMS)
  for (const line of lines) assert.match(line, /\.wasm: no code is kept, .*: this V8 cannot serialize a module$/)
  assertSamePairs(0, ALL_COMPILED)
})

/** Files that look like the kept code of the assembler's program and are not. */
const WRONG: [string, (kept: Buffer) => Buffer][] = [
  ['an empty file', () => Buffer.alloc(0)],
  ['a header alone', (kept) => kept.subarray(0, HEADER_BYTES)],
  ['one byte less', (kept) => kept.subarray(0, -1)],
  ['one byte more', (kept) => Buffer.concat([kept, Buffer.of(0)])],
  ['a flipped bit in V8’s header', (kept) => flipped(kept, HEADER_BYTES + 4)],
  ['a flipped bit in the code', (kept) => flipped(kept, kept.length >> 1)],
  ['another build of Node.js', (kept) => flipped(kept, 0)],
  ['the code of the other program', () => readFileSync(keptCodePath(jsonCore))],
]

function flipped(kept: Buffer, at: number): Buffer {
  const changed = Buffer.from(kept)
  changed[at] ^= 1
  return changed
}

for (const [what, change] of WRONG) {
  test(`kept code: ${what} is not used, and the pairs are the same`, { skip }, (t) => {
    const path = keptCodePath(core)
    const code = readFileSync(path)
    t.after(() => writeFileSync(path, code))
    writeFileSync(path, change(code))
    assertSamePairs(0, /^compiled$/)
  })
}

for (const [why, option] of [
  ['wild accesses are not caught by their signal', '--disable-wasm-trap-handler'],
  ['V8 has other flags', '--no-wasm-tier-up'],
  ['no code may be made of text', '--disallow-code-generation-from-strings'],
]) {
  test(`kept code: not used where ${why}, and the pairs are the same`, () => {
    assertSamePairs(0, ALL_COMPILED, option)
  })
}

test('kept code: not used for a program that has changed', { skip }, (t) => {
  const program = readFileSync(core)
  t.after(() => writeFileSync(core, program))
  // An empty custom section (WebAssembly core specification, 5.5.3).
  writeFileSync(core, Buffer.concat([program, Buffer.of(0, 1, 0)]))
  assertSamePairs(0, /^compiled$/)
})

/** Each thread loads a program, argument 1, again and again, and prints how often it was compiled. */
const LOADING_THREADS = `
  import { Worker, isMainThread } from 'node:worker_threads'
  import { pathToFileURL } from 'node:url'
  const { loadProgram } = await import(${JSON.stringify(import.meta.resolve('../../src/sys/kept-code.js'))})
  if (isMainThread) for (let i = 0; i < 2; i++) new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
  let compiled = 0
  for (let i = 0; i < 2000; i++) if (!loadProgram(pathToFileURL(process.argv[2])).isKept) compiled++
  process.stdout.write(compiled + ' ')`

test('kept code: used by each of several threads that load it at once', { skip }, () => {
  const path = join(folder, 'loading-threads.mjs')
  writeFileSync(path, LOADING_THREADS)
  const { stdout, stderr } = spawnSync(process.execPath, [path, jsonCore], { encoding: 'utf8', timeout: 60_000 })
  assert.equal(stderr, '')
  assert.equal(stdout, '0 0 0 ')
})
