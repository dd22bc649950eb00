/**
 * Which stages of a run share a thread: each thread costs its start, and each ring between two of them wake-ups
 * (bench/findings.md).
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { isGzip } from '../capture/files/gunzip.ts'
import type { PipelineOptions } from './options.ts'
import type { Plan } from './plan.ts'

/**
 * - `brief`: all in the main thread, for a fraction of a second. The output must not block it.
 * - `main`: the same for files of any size, whose pairs are only counted. Another thread watches it.
 * - `read`: a thread reads and assembles, another one ships: formatting pairs costs about as much as finding them.
 * - `each`: a thread for each worker.
 */
export type Arrangement = 'brief' | 'main' | 'read' | 'each'

/** Larger files, which take more than about a fifth of a second, are worth the cost of a thread. */
const SMALL_BYTES = 1024 * 1024
/** Bytes that one deflated byte becomes: usually, in captures of text, and at most. */
const GZIP_FACTOR = 8
const MOST_GZIP_FACTOR = 1032
/**
 * The most that pairs are larger than their frames: each has a head of some hundred bytes, and a pipelined exchange may
 * have thirty.
 */
const PAIR_FACTOR = 24
/** The same where these frames were deflated: so well, they do not consist of such exchanges. */
const GZIP_PAIR_FACTOR = 2
const STDOUT = 1

/** Followed files are treated as live capture: a worker that fails is replaced whatever it was doing. */
export function arrange({ input, config }: PipelineOptions, { assemblers, sink, budget }: Plan): Arrangement {
  if (input.kind !== 'files' || input.follow || assemblers > 1) return 'each'
  const { paths } = input
  if (sink.kind === 'none') return areSmall(paths) ? 'brief' : 'main'
  if (sink.kind !== 'stream' || !neverBlocks(sink.path)) return 'read'
  return areSmall(paths, budget.pairRingBytes + config.ship.bufferBytes) ? 'brief' : 'read'
}

/** @param room for pairs that wait for a slow reader: with more, the assembler would wait too, and with it the main thread */
function areSmall(paths: readonly string[], room = Infinity): boolean {
  let usual = 0
  let most = 0
  for (const path of paths) {
    if (usual > SMALL_BYTES) return false
    const { bytes, zipped } = sizeOf(path)
    usual += bytes * (zipped ? GZIP_FACTOR : 1)
    most += bytes * (zipped ? MOST_GZIP_FACTOR * GZIP_PAIR_FACTOR : PAIR_FACTOR)
  }
  return usual <= SMALL_BYTES && most <= room
}

/** Whether the output is written without blocking: see OutputFile. */
function neverBlocks(path: string | null): boolean {
  return path !== null || (process.platform === 'linux' && !fstatSync(STDOUT).isSocket())
}

/** Infinity where the size is unknown. The capture stage reports what is wrong with a file. */
function sizeOf(path: string): { bytes: number; zipped: boolean } {
  const stats = path === '-' ? undefined : statSync(path, { throwIfNoEntry: false })
  if (stats?.isFile() !== true) return { bytes: Infinity, zipped: false }
  return { bytes: stats.size, zipped: startsAsGzip(path) }
}

function startsAsGzip(path: string): boolean {
  const head = new Uint8Array(2)
  const fd = openSync(path, 'r')
  try {
    return readSync(fd, head) === head.length && isGzip(head)
  } finally {
    closeSync(fd)
  }
}
