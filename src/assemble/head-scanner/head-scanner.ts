/** Loads the WebAssembly head scanner (`wasm/`) and binds it to an assembler's memory. */
import { readFileSync } from 'node:fs'
import { runtimeError } from '../../errors.ts'

/**
 * The exported functions. Addresses are offsets into the memory; layout.ts defines where results are stored. Flags are
 * numbers because converting a boolean at the call boundary costs more than a scan.
 */
export interface HeadScanner {
  /**
   * Scans the head that begins at `at`.
   *
   * @param isResponse 1 or 0
   * @param lengths bit n set: list fields whose name has n bytes for the filter (bit 31: 31 or more)
   * @returns a HEAD_ result
   */
  scan(at: number, end: number, isResponse: number, lengths: number): number
  /** Computes the digest of the head [start, end); `seq` is the sequence number of its first byte. */
  digest(start: number, end: number, seq: number): void
  /**
   * Encodes the message of the last scan and digest up to its body's bytes; may overwrite 16 bytes beyond the end.
   *
   * @param isResponse 1 or 0; @param parts address of a table of PART_ entries
   * @returns the address after the encoded bytes
   */
  writeHead(to: number, isResponse: number, parts: number): number
  /** Writes four words as 32 hexadecimal digits. */
  writeId(to: number, word0: number, word1: number, word2: number, word3: number): void
  /** Copies `length` bytes; the ranges may overlap. */
  copy(to: number, from: number, length: number): void
}

/** @throws InterceptorError (EXIT_RUNTIME): this processor cannot run the head scanner */
export function checkHeadScanner(): void {
  if (WebAssembly.validate(program())) return
  throw runtimeError('this processor lacks the SIMD instructions that the HTTP parser needs', {
    hint: 'On amd64 it needs SSE4.1, which a virtual machine may have to pass through (QEMU: -cpu host).',
  })
}

const program = (): Uint8Array => readFileSync(new URL('./head-scanner.wasm', import.meta.url))

/** Compiled once per thread. */
let compiled: WebAssembly.Module | null = null

/** V8 inlines these exports only while each call site sees a single instance: create one per thread. */
export function loadHeadScanner(memory: WebAssembly.Memory): HeadScanner {
  compiled ??= new WebAssembly.Module(program())
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } })
  const { scan, digest, writeHead, writeId, copy } = exports as unknown as HeadScanner
  return { scan, digest, writeHead, writeId, copy }
}
