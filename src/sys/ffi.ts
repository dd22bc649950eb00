/**
 * The only access to C in this project. koffi is loaded on first use and per thread, so that commands without live
 * capture (`read`, `tail`, `config`) do not load it.
 *
 * Rules: synchronous calls only, no callbacks from C, no library that starts threads of its own; pointers are bigints.
 * Every platform that koffi is built for is little-endian. A wrong pointer crashes the process, not only the worker.
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

/**
 * An ArrayBuffer over `byteLength` bytes of foreign memory, which it does not own: do not use it after munmap or free.
 */
export const viewMemory = (address: bigint, byteLength: number): ArrayBuffer => ffi().view(address, byteLength)

/** Buffers whose addresses are in use: an address is a number, and does not keep the garbage collector from the bytes. */
const inUse = new Set<Buffer>()

/** Calls `use` with the address of a buffer's bytes, which stay there until it returns. @returns what `use` returns */
export function withAddress<T>(buffer: Buffer, use: (address: bigint) => T): T {
  inUse.add(buffer)
  try {
    return use(ffi().address(buffer))
  } finally {
    inUse.delete(buffer)
  }
}
