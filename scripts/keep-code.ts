/**
 * Keeps V8's machine code of each WebAssembly program beside it, for the Node.js that runs this script: `npm run build`. With another
 * version, it adds that one's. src/sys/kept-code.ts describes the file.
 *
 *     node dist/scripts/keep-code.js [FOLDER]         programs in this folder; dist/src by default
 *     node dist/scripts/keep-code.js PROGRAM check    fails unless this Node.js, on this processor, accepts the code of a .wasm file
 *
 * A process of its own makes the code, because V8 aborts where it cannot. Another one then loads it: nothing is kept that no process
 * would accept.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { headerOf, keptCodePath, nativeFunction, withKeptCode } from '../src/sys/kept-code.ts'

const COMPILED = join(import.meta.dirname, '..', 'src')

/** With these, V8 optimizes every function at once. */
const OPTIMIZE = ['--no-liftoff', '--no-wasm-lazy-compilation']
/** Undoes them: code is accepted only by a process that has the same flags. Node.js 20 turns off the third with the first. */
const DEFAULTS = ['--liftoff', '--wasm-lazy-compilation', '--wasm-dynamic-tiering']

const setFlags = (flags: readonly string[]): void => {
  for (const flag of flags) setFlagsFromString(flag)
}

function make(path: string): void {
  const program = readFileSync(path)
  const serialize = nativeFunction<(module: WebAssembly.Module) => ArrayBuffer>('module', 'SerializeWasmModule')
  if (serialize === undefined) throw new Error('this V8 cannot serialize a module')
  setFlags(OPTIMIZE)
  const module = new WebAssembly.Module(program)
  setFlags(DEFAULTS)
  const code = new Uint8Array(serialize(module))
  writeFileSync(keptCodePath(path), Buffer.concat([headerOf(program, code), code]))
}

function check(path: string): void {
  if (withKeptCode(readFileSync(path), readFileSync(keptCodePath(path))) === undefined) throw new Error('not accepted')
}

const STEPS: Record<string, (path: string) => void> = { make, check }

/** Runs a step in a process that has the flags of the program's. @returns what went wrong, or null */
function runStep(step: string, path: string): string | null {
  const { NODE_OPTIONS: _, ...env } = process.env
  const { status, signal, stderr } = spawnSync(process.execPath, [import.meta.filename, path, step], { env })
  if (status === 0) return null
  // Where V8 aborts, it prints its own stack, which says nothing about this program.
  return signal === null
    ? (/^\w*Error: .*/m.exec(String(stderr))?.[0] ?? `exit code ${status}`)
    : `V8 ended with ${signal}`
}

const [folder = COMPILED, step] = process.argv.slice(2)
if (step !== undefined) STEPS[step](folder)
else {
  const programs = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.wasm'))
  for (const program of programs.map((name) => join(folder, name))) {
    const failure = runStep('make', program) ?? runStep('check', program)
    if (failure === null) continue
    rmSync(keptCodePath(program), { force: true })
    process.stderr.write(`${program}: no code is kept, so that each process compiles it: ${failure}\n`)
  }
}
