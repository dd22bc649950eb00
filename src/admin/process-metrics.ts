/** Metrics of the process and its main thread, named as in Prometheus's client libraries. */
import { readdirSync } from 'node:fs'
import { processCpuMs } from '../thread/cpu-time.ts'
import { VERSION } from '../version.ts'
import { type Metric, single } from './exposition.ts'

/** Inputs that the process does not know by itself. */
export interface ProcessState {
  /** The Kubernetes node's name. */
  readonly node: string
  /** Memory of the process and its main thread. Bytes. */
  readonly memory: NodeJS.MemoryUsage
  /** Requests to the admin server that were refused. */
  readonly pagesRefused: number
}

const START_SECONDS = performance.timeOrigin / 1000

export const PROCESS_METRICS: readonly Metric<ProcessState>[] = [
  {
    name: 'interceptor_build_info',
    type: 'gauge',
    help: 'Always 1: the version of the program and of Node.js, and the Kubernetes node',
    labels: ['version', 'node', 'node_version'],
    read: ({ node }) => [{ labels: [VERSION, node, process.version], value: 1 }],
  },
  single(
    'counter',
    'interceptor_admin_refused_total',
    'Requests to the admin server answered with 429, because a peer, or all together, asked for too many pages',
    ({ pagesRefused }) => pagesRefused,
  ),
  single('gauge', 'process_start_time_seconds', 'Start time of the process, in Unix time', () => START_SECONDS),
  single(
    'counter',
    'process_cpu_seconds_total',
    'CPU time of all threads, user and system',
    () => processCpuMs() / 1000,
  ),
  single('gauge', 'process_resident_memory_bytes', 'Resident memory of the process', ({ memory }) => memory.rss),
  single('gauge', 'process_open_fds', 'Open file descriptors; absent if unknown on this system', openDescriptors),
  single('gauge', 'nodejs_heap_size_total_bytes', 'Size of the main thread’s heap', ({ memory }) => memory.heapTotal),
  single(
    'gauge',
    'nodejs_heap_size_used_bytes',
    'Used part of the main thread’s heap',
    ({ memory }) => memory.heapUsed,
  ),
  single(
    'gauge',
    'nodejs_external_memory_bytes',
    'Memory outside of the heap held by objects of the main thread',
    ({ memory }) => memory.external,
  ),
  single(
    'gauge',
    'nodejs_array_buffers_bytes',
    'Buffers of the main thread, including memory shared with other threads',
    ({ memory }) => memory.arrayBuffers,
  ),
]

/** Excludes the descriptor that reads the folder. */
function openDescriptors(): number | null {
  try {
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return null
  }
}
