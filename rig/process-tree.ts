/** Ends processes with everything that they have started, or together with this process. */
import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { atExit } from './at-exit.ts'

/** A clock tick in seconds: USER_HZ, the same on every architecture of Linux that Node.js runs on. */
const TICK_SECONDS = 0.01

/** How often `endChildren` looks whether they have ended. */
const LOOK_MS = 20

export interface ProcessStat {
  parent: number
  /** When it started, in clock ticks since the machine started: the id of an ended process may belong to another one. */
  startTicks: number
  /** Whether it has ended and its parent has not waited for it yet. */
  isZombie: boolean
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
      found.set(pid, {
        parent: Number(fields[1]),
        startTicks: Number(fields[19]),
        isZombie: fields[0] === 'Z',
        cpuSeconds: ticks * TICK_SECONDS,
      })
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
  return signal(withDescendants(childrenNamed(text, all), all).keys(), 'SIGKILL')
}

/**
 * Ends the children of this process whose command line contains `text` by SIGTERM, so that they can clean up. After they have
 * ended, or have been given `graceMs`, it sends SIGKILL to what is left of them and of all their descendants.
 */
export async function endChildren(text: string, graceMs: number): Promise<void> {
  const all = processStats()
  const children = childrenNamed(text, all)
  const ending = withDescendants(children, all)
  signal(children.keys(), 'SIGTERM')
  const endMs = performance.now() + graceMs
  while (performance.now() < endMs && stillRunning(children, processStats()).size > 0) await sleep(LOOK_MS)
  const now = processStats()
  signal(withDescendants(stillRunning(ending, now), now).keys(), 'SIGKILL')
}

type Processes = ReadonlyMap<number, ProcessStat>

const childrenNamed = (text: string, all: Processes): Processes =>
  new Map([...all].filter(([pid, { parent }]) => parent === process.pid && commandLineOf(pid).includes(text)))

/** @param all every process that runs now */
function withDescendants(processes: Processes, all: Processes): Processes {
  const found = new Map(processes)
  for (const parent of found.keys()) {
    for (const [pid, stat] of all) if (stat.parent === parent) found.set(pid, stat)
  }
  return found
}

/** @param all every process that runs now */
const stillRunning = (processes: Processes, all: Processes): Processes =>
  new Map(
    [...processes].filter(([pid, { startTicks }]) => {
      const now = all.get(pid)
      return now !== undefined && !now.isZombie && now.startTicks === startTicks
    }),
  )

/** @returns how many processes got the signal */
function signal(pids: Iterable<number>, name: NodeJS.Signals): number {
  let count = 0
  for (const pid of pids) {
    try {
      process.kill(pid, name)
      count += 1
    } catch {
      // The process has already ended.
    }
  }
  return count
}

/** Kills a process when this one exits before it, so that processes of a failed test do not outlive its file. */
export function killAtExit<T extends ChildProcess>(child: T): T {
  child.once(
    'exit',
    atExit(() => child.kill('SIGKILL')),
  )
  return child
}
