/**
 * Compiles parts of the programs in AssemblyScript (src/assemble/core, src/pair/json-core) as separate programs for their tests.
 *
 * If a part calls functions of an upper part, the test provides them: a module that declares them as imports
 * (test/assemble/core/stand-ins) replaces the file that defines them.
 */
import { execFile } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ROOT } from '../../rig/root.ts'

const ASC = join('node_modules', 'assemblyscript', 'bin', 'asc.js')
const FLAGS = ['-O2', '--use', 'abort=', '--noAssert', '--runtime', 'stub', '--importMemory', '--enable', 'simd']
const PARTS = join('src', 'assemble', 'core')
const TEST_PARTS = join('test', 'assemble', 'core')
const FOLDERS = [
  PARTS,
  TEST_PARTS,
  join('src', 'pair', 'json-core'),
  join('src', 'wasm'),
  join('test', 'pair', 'programs'),
]

/** Each program, relative to test, and what it is compiled to, relative to dist/test. */
const PROGRAMS: readonly (readonly [program: string, wasm: string])[] = [
  ['assemble/core/programs/head', 'assemble/head/head.wasm'],
  ['assemble/core/programs/pool', 'assemble/memory/pool.wasm'],
  ['assemble/core/programs/tcp', 'assemble/tcp/tcp.wasm'],
  ['assemble/core/programs/http1', 'assemble/http1/http1.wasm'],
  ['assemble/core/programs/parser', 'assemble/http1/parser.wasm'],
  ['pair/programs/json-values', 'pair/json-core/values.wasm'],
]
/** Files of the program that are replaced by modules of the same name. */
const REPLACED: readonly string[] = ['tcp/owner', 'http1/outcomes', 'http1/exchanges', 'http1/message-start']

const compiledPath = (wasm: string): string => join(ROOT, 'dist', 'test', wasm)

/** Compiles all programs, unless they are newer than every source. @throws if a part does not compile */
export async function compileTestPrograms(): Promise<void> {
  if (oldestProgramMs() > newestSourceMs()) return
  const scratch = mkdtempSync(join(tmpdir(), 'programs-'))
  try {
    for (const folder of FOLDERS) cpSync(join(ROOT, folder), join(scratch, folder), { recursive: true })
    for (const path of REPLACED) {
      const standIn = join('..', '..', '..', '..', TEST_PARTS, 'stand-ins', path.split('/')[1])
      writeFileSync(join(scratch, PARTS, `${path}.ts`), `export * from '${standIn}'\n`)
    }
    await Promise.all(PROGRAMS.map(([program, wasm]) => compile(scratch, program, wasm)))
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

async function compile(scratch: string, program: string, wasm: string): Promise<void> {
  const target = compiledPath(wasm)
  const compiled = basename(wasm)
  const args = [join(ROOT, ASC), join('test', `${program}.ts`), '--outFile', compiled, ...FLAGS]
  await promisify(execFile)(process.execPath, args, { cwd: scratch })
  mkdirSync(dirname(target), { recursive: true })
  // Another test run in this checkout may read the file meanwhile.
  const copied = `${target}.${process.pid}`
  copyFileSync(join(scratch, compiled), copied)
  renameSync(copied, target)
}

/** 0 if one is missing. */
const oldestProgramMs = (): number =>
  Math.min(...PROGRAMS.map(([, wasm]) => (existsSync(compiledPath(wasm)) ? statSync(compiledPath(wasm)).mtimeMs : 0)))

function newestSourceMs(): number {
  const paths = FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  )
  return Math.max(...[...paths, 'package-lock.json'].map((path) => statSync(join(ROOT, path)).mtimeMs))
}
