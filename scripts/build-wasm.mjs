// Compiles the programs in AssemblyScript to WebAssembly, in dist/src: `npm run build:wasm`.
//
// wasm-opt inlines every function that has a single caller, where the compiler inlines only small ones (bench/findings.md).
import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../', import.meta.url))
const asc = join(root, 'node_modules', 'assemblyscript', 'bin', 'asc.js')
const wasmOpt = join(root, 'node_modules', 'binaryen', 'bin', 'wasm-opt')
// Nothing imports `abort`: without assertions only a lack of memory would call it.
const compiler = ['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd', '--use', 'abort=']
/** For a memory that the host provides: why it is shared stands in src/assemble/host/memory.ts. Of it, the most that there may be. */
const shared = ['--sharedMemory', '--maximumMemory', '65536', '--enable', 'threads']
const optimizer = ['-O4', '--always-inline-max-function-size=12', '--flexible-inline-max-function-size=70']
const features = ['threads', 'simd', 'bulk-memory', 'mutable-globals', 'sign-ext', 'nontrapping-float-to-int']

/** Entry, compiled file, and whether the host provides the memory. */
const programs = [
  ['src/assemble/core/index.ts', 'dist/src/assemble/core.wasm', true],
  ['src/capture/intake/plain-core/index.ts', 'dist/src/capture/intake/plain-core.wasm', true],
  ['src/kafka/crc-core/index.ts', 'dist/src/kafka/crc-core.wasm', false],
  ['src/pair/json-core/index.ts', 'dist/src/pair/json-core.wasm', false],
]

const run = async (program, ...args) => {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, ...args], { cwd: root })
  process.stderr.write(stdout + stderr)
}

await Promise.all(
  programs.map(async ([entry, compiled, importsMemory]) => {
    mkdirSync(join(root, dirname(compiled)), { recursive: true })
    await run(asc, entry, '--outFile', compiled, ...compiler, ...(importsMemory ? ['--importMemory', ...shared] : []))
    await run(wasmOpt, compiled, '-o', compiled, ...optimizer, ...features.map((feature) => `--enable-${feature}`))
  }),
)
