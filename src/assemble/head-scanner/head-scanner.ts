/** The head kernel (`wasm/`) on a memory. */
import { readFileSync } from 'node:fs'
import { runtimeError } from '../../errors.ts'

/** Addresses are of the memory. Where results lie: layout.ts. Numbers only: to convert a boolean takes longer than a scan. */
export interface Kernel {
  /**
   * Scans the head that begins at `at`.
   *
   * @param isResponse 1 or 0; @param lengths bits of the lengths of names that rules may be about
   * @returns a HEAD_ result
   */
  scan(at: number, end: number, isResponse: number, lengths: number): number
  /** Digests the head [start, end), the first byte of which has this sequence number. */
  digest(start: number, end: number, seq: number): void
  /**
   * Lays the head of the last scan and digest up to its body's bytes; may clobber up to 16 bytes more.
   *
   * @param isResponse 1 or 0; @param parts address of a table of PART_ entries
   * @returns its end
   */
  layHead(to: number, isResponse: number, parts: number): number
  /** Lays 32 hexadecimal digits of four words. */
  layId(to: number, word0: number, word1: number, word2: number, word3: number): void
  /** Copies `length` bytes; the ranges may overlap. */
  copy(to: number, from: number, length: number): void
}

/** @throws InterceptorError, exit 1: the kernel does not run on this processor */
export function checkKernel(): void {
  if (WebAssembly.validate(program())) return
  throw runtimeError('this processor lacks the SIMD instructions that heads are read with', {
    hint: 'amd64 needs SSE4.1, which a virtual machine may have to pass through (QEMU: -cpu host)',
  })
}

const program = (): Uint8Array => readFileSync(new URL('./head-scanner.wasm', import.meta.url))

/** Compiled once a thread. */
let compiled: WebAssembly.Module | null = null

/** Calls are compiled into their callers as long as these see one instance only: a thread makes one and keeps it. */
export function startKernel(memory: WebAssembly.Memory): Kernel {
  compiled ??= new WebAssembly.Module(program())
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } })
  const { scan, digest, layHead, layId, copy } = exports as unknown as Kernel
  return { scan, digest, layHead, layId, copy }
}
