/** The head kernel (`kernel/`) on a memory. */
import { readFileSync } from 'node:fs'

/** Addresses are of the memory. Where results lie: kernel-layout.ts. Numbers only: to convert a boolean takes longer than a scan. */
export interface Kernel {
  /** Scans the head that begins at `at`. @param isResponse 1 or 0. @returns HEAD_COMPLETE, HEAD_INCOMPLETE or HEAD_INVALID */
  scan(at: number, end: number, isResponse: number): number
  /** Digests the head [start, end), the first byte of which has this sequence number. */
  digest(start: number, end: number, seq: number): void
  /** Lays the first `count` fields of the last scan, ASCII without folds; may clobber up to 15 bytes more. @returns their end */
  layFields(to: number, count: number): number
}

/** Compiled once a thread. */
let compiled: WebAssembly.Module | null = null

/**
 * Calls are compiled into their callers as long as these see one instance only: a thread makes one and keeps it.
 *
 * @throws Error: this processor lacks what the kernel needs (SSE4.1 on amd64)
 */
export function startKernel(memory: WebAssembly.Memory): Kernel {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('./kernel.wasm', import.meta.url)))
  const { exports } = new WebAssembly.Instance(compiled, { env: { memory } })
  const { scan, digest, layFields } = exports as unknown as Kernel
  return { scan, digest, layFields }
}
