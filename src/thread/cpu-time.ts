/**
 * CPU time of the process, and of a thread, which only the thread itself can read: each worker records its own in its
 * control block. Node.js reports that from 22.19 on; before, it is read from /proc (proc_pid_stat(5), utime and stime).
 */
import { readFileSync } from 'node:fs'
import type { Control } from './control.ts'

/** CPU time of all threads of this process so far, ms. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** Reading it costs an idle thread as much as everything else. */
const RECORD_MS = 5000
/** USER_HZ, the same on every Linux. */
const TICKS_PER_SECOND = 100
/** Fields of /proc/<pid>/stat, counted from the one after the name, because the name may contain spaces and parentheses. */
const UTIME = 11
const STIME = 12

interface CpuUsage {
  user: number
  system: number
}

const { threadCpuUsage } = process as { threadCpuUsage?: () => CpuUsage }

/** CPU seconds used by the calling thread; null where neither Node.js nor the system reports them. */
export function threadCpuSeconds(): number | null {
  if (threadCpuUsage !== undefined) {
    const { user, system } = threadCpuUsage.call(process)
    return (user + system) / 1e6
  }
  try {
    const stat = readFileSync('/proc/thread-self/stat', 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS_PER_SECOND
  } catch {
    return null
  }
}

/** Records the calling thread's CPU time in its control block, every five seconds. */
export class CpuTimeRecorder {
  readonly #control: Control
  #nextMs = 0

  constructor(control: Control) {
    this.#control = control
  }

  /** Call it in every iteration of the thread's loop. @param nowMs a monotonic clock */
  update(nowMs: number): void {
    if (nowMs < this.#nextMs) return
    this.#nextMs = nowMs + RECORD_MS
    this.#control.cpuSeconds = threadCpuSeconds()
  }
}
