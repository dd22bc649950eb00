/** Ends processes with everything that they have started, or together with this process. */
import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { atExit } from './at-exit.ts'

/** A clock tick in seconds: USER_HZ, the same on every architecture of Linux that Node.js runs on. */
const TICK_SECONDS = 0.01

export interface ProcessStat {
  parent: number
  /** Of its own, and of its children that have ended and for which it has waited. */
  cpuSeconds: number
}

/** Every process of this machine, by its id (proc_pid_stat(5)). */
export function processStats(): Map<number, ProcessStat> {
  const found = new Map<number, ProcessStat>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The name in parentheses may contain anything; field 3 and the others follow the last one.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
      found.set(pid, { parent: Number(fields[1]), cpuSeconds: ticks * TICK_SECONDS })
    } catch {
      // The process has ended since it was listed.
    }
  }
  return found
}

/** The command line of a process, with NUL between its words; empty when it has ended. */
export function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

/**
 * Sends SIGKILL to the children of this process whose command line contains `text`, and to all their descendants.
 *
 * @returns how many processes were killed
 */
export function killChildren(text: string): number {
  const all = processStats()
  const doomed = [...all].flatMap(([pid, { parent }]) =>
    parent === process.pid && commandLineOf(pid).includes(text) ? [pid] : [],
  )
  for (const parent of doomed) {
    for (const [pid, child] of all) if (child.parent === parent) doomed.push(pid)
  }
  for (const pid of doomed) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // The process has already ended.
    }
  }
  return doomed.length
}

/** Kills a process when this one exits before it, so that processes of a failed test do not outlive its file. */
export function killAtExit<T extends ChildProcess>(child: T): T {
  child.once(
    'exit',
    atExit(() => child.kill('SIGKILL')),
  )
  return child
}
