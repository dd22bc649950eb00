/** The process and its main thread, under the names that Prometheus's client libraries use. */
import { readdirSync } from 'node:fs'
import { VERSION } from '../version.ts'
import { type Metric, single } from './exposition.ts'

/** What of these is not the process's own to say. */
export interface ProcessState {
  /** The Kubernetes node's name. */
  readonly node: string
  /** Of the process and its main thread, bytes. */
  readonly memory: NodeJS.MemoryUsage
}

const MICROS = 1_000_000
const START_SECONDS = performance.timeOrigin / 1000

export const PROCESS_METRICS: readonly Metric<ProcessState>[] = [
  {
    name: 'interceptor_build_info',
    type: 'gauge',
    help: 'Always 1: the version of the program and of Node.js, and the Kubernetes node',
    labels: ['version', 'node', 'node_version'],
    read: ({ node }) => [{ labels: [VERSION, node, process.version], value: 1 }],
  },
  single('gauge', 'process_start_time_seconds', 'When the process began, in Unix time', () => START_SECONDS),
  single('counter', 'process_cpu_seconds_total', 'CPU time of all threads, user and system', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / MICROS
  }),
  single('gauge', 'process_resident_memory_bytes', 'Memory of the process in RAM', ({ memory }) => memory.rss),
  single('gauge', 'process_open_fds', 'Open file descriptors; absent where the system does not tell', openDescriptors),
  single('gauge', 'nodejs_heap_size_total_bytes', 'Heap of the main thread', ({ memory }) => memory.heapTotal),
  single(
    'gauge',
    'nodejs_heap_size_used_bytes',
    'Heap of the main thread that is in use',
    ({ memory }) => memory.heapUsed,
  ),
  single(
    'gauge',
    'nodejs_external_memory_bytes',
    'Memory outside of the heap that objects of the main thread hold',
    ({ memory }) => memory.external,
  ),
  single(
    'gauge',
    'nodejs_array_buffers_bytes',
    'Buffers of the main thread, memory shared with other threads included',
    ({ memory }) => memory.arrayBuffers,
  ),
]

/** The descriptor that reads the folder is not counted. */
function openDescriptors(): number | null {
  try {
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return null
  }
}
