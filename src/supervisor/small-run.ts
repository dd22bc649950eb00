/** Which runs are so small that threads would cost more than the work. */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { isGzip } from '../capture/files/gunzip.ts'
import type { PipelineOptions } from './options.ts'
import type { Plan } from './plan.ts'

/** The main thread obeys no signal while it reads this much: a fifth of a second. */
const SMALL_BYTES = 1024 * 1024
/** What gzipped captures of text usually become. */
const GZIP_FACTOR = 8
const STDOUT = 1

/** Whether the run reads small files to their end, and its output cannot block the thread. */
export function isSmallRun({ input }: PipelineOptions, { assemblers, sink }: Plan): boolean {
  if (input.kind !== 'files' || input.follow || assemblers > 1) return false
  if (sink.kind !== 'none' && !(sink.kind === 'stream' && neverBlocks(sink.path))) return false
  let bytes = 0
  for (const path of input.paths) {
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
