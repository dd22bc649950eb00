/** Which stages of a run share a thread: each thread costs its start, and each ring between two of them wake-ups (bench/README.md). */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { isGzip } from '../capture/files/gunzip.ts'
import type { PipelineOptions } from './options.ts'
import type { Plan } from './plan.ts'

/**
 * - `main`: all in the main thread. The output must not block it.
 * - `read`: a thread reads and assembles, another one ships: formatting pairs costs about as much as finding them.
 * - `each`: a thread for each worker.
 */
export type Arrangement = 'main' | 'read' | 'each'

/** All pairs of files up to this size fit into the rings and the buffer, so that a slow output delays nothing else. */
const SMALL_BYTES = 1024 * 1024
/** What gzipped captures of text usually become. */
const GZIP_FACTOR = 8
const STDOUT = 1

/** Followed files are treated as live capture: a worker that fails is replaced whatever it was doing. */
export function arrange({ input }: PipelineOptions, { assemblers, sink }: Plan): Arrangement {
  if (input.kind !== 'files' || input.follow || assemblers > 1) return 'each'
  if (sink.kind === 'none') return 'main'
  const isQuick = sink.kind === 'stream' && neverBlocks(sink.path) && areSmall(input.paths)
  return isQuick ? 'main' : 'read'
}

function areSmall(paths: readonly string[]): boolean {
  let bytes = 0
  for (const path of paths) {
    if (bytes <= SMALL_BYTES) bytes += captureBytes(path)
  }
  return bytes <= SMALL_BYTES
}

/** Whether the output is written without blocking: see OutputFile. */
function neverBlocks(path: string | null): boolean {
  return path !== null || (process.platform === 'linux' && !fstatSync(STDOUT).isSocket())
}

/** About how many bytes of capture a file holds; Infinity where that is unknown. The capture stage reports what is wrong with it. */
function captureBytes(path: string): number {
  const stats = path === '-' ? undefined : statSync(path, { throwIfNoEntry: false })
  if (stats?.isFile() !== true) return Infinity
  return stats.size * (startsAsGzip(path) ? GZIP_FACTOR : 1)
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
