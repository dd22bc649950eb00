/**
 * V8's machine code of the WebAssembly programs, which the build keeps beside them (scripts/keep-code.ts). Without it
 * every process compiles each function twice: quickly at its first call, and again in the background once it is hot
 * (bench/findings.md).
 *
 * V8 has functions that write and read the code of a module, though only its own tests may name them. Of what it reads
 * it checks the version, the processor's features and the flags (deps/v8/src/wasm/wasm-serialization.cc,
 * HeaderMatches); the rest it trusts: a damaged file would end the process, or run. So the file begins with what else
 * the code depends on. Where anything differs, the program is compiled, with the same results.
 *
 * Little-endian, with CRC-32 as in zlib:
 *
 *     0          4          8          12         16
 *     +----------+----------+----------+----------+-------------------------------+
 *     | CRC of   | CRC of   | CRC of   | length   | code, as V8 has serialized it |
 *     | Node.js  | program  | code     | of code  |                               |
 *     +----------+----------+----------+----------+-------------------------------+
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { crc32 } from 'node:zlib'

const HEADER_BYTES = 16
/**
 * V8's flags are the process's, and V8 rejects code under other flags than it was made with. So a thread fails at the moment in
 * which another one has changed a flag (nativeFunction).
 */
const ATTEMPTS = 10
const RETRY_MS = 0.2
/** Signal 11 in a mask of proc_pid_status(5). */
const SIGSEGV_BIT = 1n << 10n

/** Where the code of a program is kept for the Node.js that runs: versions and platforms can lie side by side. @param path of the .wasm file */
export const keptCodePath = (path: string): string =>
  `${path}.${process.version}-${process.platform}-${process.arch}.code`

/**
 * The program in a .wasm file, with the kept code if it is valid in this process, else compiled.
 *
 * @throws WebAssembly.CompileError where the processor cannot run it
 */
export function loadProgram(url: URL): { module: WebAssembly.Module; isKept: boolean } {
  const program = readFileSync(url)
  const kept = withKeptCode(program, readIfPresent(keptCodePath(fileURLToPath(url))))
  return { module: kept ?? new WebAssembly.Module(program), isKept: kept !== undefined }
}

/**
 * The program with its kept code.
 *
 * @param program bytes of the .wasm file; @param kept bytes of the file that `keptCodePath` names
 * @returns undefined where the code was made of another program, by another build of Node.js, for another processor or with other
 *   flags, or is damaged, and where V8 cannot use it
 */
export function withKeptCode(program: Uint8Array, kept: Uint8Array | undefined): WebAssembly.Module | undefined {
  if (kept === undefined) return undefined
  // In a buffer of its own: V8 reads a whole one.
  const code = new Uint8Array(kept.subarray(HEADER_BYTES))
  if (!headerOf(program, code).equals(kept.subarray(0, HEADER_BYTES)) || !catchesWildAccesses()) return undefined
  for (let attempt = 1; ; attempt++) {
    const deserialize = nativeFunction<(code: ArrayBuffer, program: Uint8Array) => WebAssembly.Module | undefined>(
      'code, program',
      'DeserializeWasmModule',
    )
    const module = deserialize?.(code.buffer, program)
    if (module !== undefined || attempt === ATTEMPTS) return module
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
  }
}

/** The header of a file of kept code, of a program and its code. */
export function headerOf(program: Uint8Array, code: Uint8Array): Buffer {
  // The versions of everything in it, and how it was configured: two builds of one version may differ in what the code
  // refers to.
  const build = JSON.stringify([process.versions, process.config, process.platform, process.arch])
  const header = Buffer.alloc(HEADER_BYTES)
  const words = [crc32(build), crc32(program), crc32(code), code.length]
  for (const [i, word] of words.entries()) header.writeUInt32LE(word, 4 * i)
  return header
}

/**
 * A function of V8 that only its own tests may name, unless a flag allows it.
 *
 * @param parameters names; @param name of V8's function
 * @returns undefined where this V8 has no such function, or none of as many parameters
 */
export function nativeFunction<F>(parameters: string, name: string): F | undefined {
  setFlagsFromString('--allow-natives-syntax')
  try {
    return new Function(parameters, `return %${name}(${parameters})`) as F
  } catch {
    return undefined
  } finally {
    // Other flags than at the start would make V8 reject the code that is kept of Node.js itself, in every new thread.
    setFlagsFromString('--no-allow-natives-syntax')
  }
}

/**
 * Whether an access beyond a program's memory is caught by its signal, instead of a comparison before each access: the
 * kept code has no comparisons, and V8 does not check whether this process has the handler
 * (`--disable-wasm-trap-handler`).
 */
function catchesWildAccesses(): boolean {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readIfPresent('/proc/self/status')?.toString() ?? '')?.[1] ?? '0'
  return (BigInt(`0x${caught}`) & SIGSEGV_BIT) !== 0n
}

function readIfPresent(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
