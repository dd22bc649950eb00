/**
 * The only way to C in this project. koffi is loaded on first use and per thread: what never captures live (`read`,
 * `tail`, `config`) never pays for it.
 *
 * Rules of the seam: synchronous calls only, no callbacks out of C, no library that starts threads of its own; pointers
 * are bigints; every platform koffi is built for is little-endian. A wrong pointer ends the process, not the worker.
 */
import { createRequire } from 'node:module'

type Koffi = typeof import('koffi')
/** A loaded shared library. */
export type Library = ReturnType<Koffi['load']>

let koffi: Koffi | undefined

/**
 * The FFI library.
 *
 * @throws Error when it has no build for this platform
 */
export function ffi(): Koffi {
  koffi ??= createRequire(import.meta.url)('koffi') as Koffi
  return koffi
}

/** An ArrayBuffer over `byteLength` bytes of foreign memory. It does not own them: never touch it after munmap or free. */
export const viewMemory = (address: bigint, byteLength: number): ArrayBuffer => ffi().view(address, byteLength)

/** Where a buffer's bytes lie. Valid while the buffer is referenced: an external backing store does not move. */
export const addressOf = (buffer: Buffer): bigint => ffi().address(buffer)
