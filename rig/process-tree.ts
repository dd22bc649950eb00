/** Ends processes: with what they have started, or with this process. */
import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

interface Process {
  parent: number
  commandLine: string
}

/** Every process of this machine, by its id. */
function processes(): Map<number, Process> {
  const found = new Map<number, Process>()
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid)) continue
    try {
      // The name in parentheses may hold anything; the state and the parent follow the last one (proc_pid_stat(5)).
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      found.set(pid, { parent, commandLine: readFileSync(`/proc/${pid}/cmdline`, 'utf8') })
    } catch {
      // It has ended since it was listed.
    }
  }
  return found
}

/**
 * Sends SIGKILL to the children of this process whose command line contains `text`, and to all their descendants.
 *
 * @returns how many processes were killed
 */
export function killChildren(text: string): number {
  const all = processes()
  const doomed = [...all].flatMap(([pid, { parent, commandLine }]) =>
    parent === process.pid && commandLine.includes(text) ? [pid] : [],
  )
  for (const parent of doomed) {
    for (const [pid, child] of all) if (child.parent === parent) doomed.push(pid)
  }
  for (const pid of doomed) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended by itself.
    }
  }
  return doomed.length
}

/** Those that are killed when this process exits, while they run. */
const owned = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of owned) child.kill('SIGKILL')
})

/** Has a process killed when this one exits before it: what a failed test has started does not outlive its file. */
export function killAtExit<T extends ChildProcess>(child: T): T {
  owned.add(child)
  child.once('exit', () => owned.delete(child))
  return child
}
