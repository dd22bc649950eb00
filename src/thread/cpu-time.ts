/**
 * CPU time of a thread, which only the thread itself can ask for: each worker notes its own in its control block. Where
 * Node.js does not tell (before 22.19), Linux does (proc_pid_stat(5), utime and stime).
 */
import { readFileSync } from 'node:fs'
import type { Control } from './control.ts'

const NOTE_MS = 1000
/** USER_HZ, which is the same on every Linux. */
const TICKS_PER_SECOND = 100
/** Fields of /proc/<pid>/stat counted from the one behind the name, which may hold anything. */
const UTIME = 11
const STIME = 12

interface CpuUsage {
  user: number
  system: number
}

const { threadCpuUsage } = process as { threadCpuUsage?: () => CpuUsage }

/** CPU seconds the calling thread has used; null where the system does not tell. */
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

/** Notes the calling thread's CPU time in its control block, once a second. */
export class UsageNote {
  readonly #control: Control
  #nextMs = 0

  constructor(control: Control) {
    this.#control = control
  }

  /** To be called on every turn. @param nowMs a monotonic clock */
  turn(nowMs: number): void {
    if (nowMs < this.#nextMs) return
    this.#nextMs = nowMs + NOTE_MS
    this.#control.cpuSeconds = threadCpuSeconds()
  }
}
