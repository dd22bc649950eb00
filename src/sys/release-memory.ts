/**
 * Returns memory to the system that V8 and the C library would keep for later use: after the start, the compilers'
 * scratch space, and the garbage of loading code and configuration; later, large blocks that are freed.
 */
import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ffi, withAddress } from './ffi.ts'

const MADV_DONTNEED = 4
/** A multiple of the page size; other platforms than x64 have pages of up to 64 KiB. */
const PAGE = process.arch === 'x64' ? 4096n : 65_536n

/** Parameters of mallopt(3), malloc.h. */
const M_TRIM_THRESHOLD = -1
const M_MMAP_THRESHOLD = -3
/** glibc's own value for both, at first. */
const LARGE_BYTES = 128 * 1024

let advise: ((address: bigint, bytes: number, advice: number) => number) | undefined

/**
 * Collects the main thread's garbage, makes the C library release the free memory of all threads, and discards the
 * pages of the program's own file; those that are still used are read from the page cache again. Blocks the main thread
 * for some 20 ms. Measured with Node.js 24: 20 to 30 MB less resident, and 30 MB of the program's pages.
 */
export function releaseStartMemory(): void {
  setFlagsFromString('--expose-gc')
  const collect: (options?: object) => void = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  // Node.js 20 supports only the first call; in later versions only the second one shrinks the heap.
  collect()
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  trim()
  releaseProgram()
}

/** Discards the pages of memory that will be neither read nor written any more (Linux). */
export function discardPages(memory: Uint8Array): void {
  withAddress(Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength), (begin) => {
    const start = (begin + PAGE - 1n) & -PAGE
    const end = (begin + BigInt(memory.byteLength)) & -PAGE
    if (end > start) madvise(start, Number(end - start))
  })
}

function madvise(start: bigint, bytes: number): void {
  advise ??= ffi().load(null).func('madvise', 'int', ['void *', 'size_t', 'int'])
  advise(start, bytes, MADV_DONTNEED)
}

/** malloc_trim(3). */
function trim(): void {
  glibc('malloc_trim', ['size_t'])?.(0)
}

/**
 * Makes the C library map large blocks one by one, and unmap them when they are freed, in all threads. By itself glibc raises
 * both thresholds to the largest block that was ever freed, up to 32 MiB: then pairs that waited during an outage, and buffers
 * of threads that have ended, leave holes in the heaps of 16 threads, of which each may keep 64 MiB. Other C libraries do not.
 */
export function returnLargeBlocks(): void {
  const mallopt = glibc('mallopt', ['int', 'int'])
  for (const threshold of [M_MMAP_THRESHOLD, M_TRIM_THRESHOLD]) mallopt?.(threshold, LARGE_BYTES)
}

/** A function that only glibc has; null: this is another C library. */
function glibc(name: string, types: string[]): ((...values: number[]) => number) | null {
  try {
    return ffi().load(null).func(name, 'int', types)
  } catch {
    return null
  }
}

/**
 * madvise(2) for read-only mappings of Node.js's own file that have no modified page, so that no data can be lost. Does
 * nothing where smaps cannot be read.
 */
function releaseProgram(): void {
  let maps: string
  try {
    maps = readFileSync('/proc/self/smaps', 'utf8')
  } catch {
    return
  }
  for (const { start, bytes } of unwritten(maps, process.execPath)) madvise(start, bytes)
}

/** The mappings of a file, in the text of smaps (proc_pid_smaps(5)), that are read-only and unmodified. */
function* unwritten(maps: string, path: string): Generator<{ start: bigint; bytes: number }> {
  for (const mapping of maps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
    const [, from, to, name] = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \d+ +(.*)$/m.exec(mapping) ?? []
    if (from === undefined || name !== path || !/^Anonymous: +0 kB$/m.test(mapping)) continue
    const start = BigInt(`0x${from}`)
    yield { start, bytes: Number(BigInt(`0x${to}`) - start) }
  }
}
