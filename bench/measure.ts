/** Runs programs to their end and measures wall time, CPU time and peak memory. Linux. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** Clock ticks a second in /proc (sysconf(_SC_CLK_TCK)), 100 on every architecture of Linux. */
const TICKS_PER_SECOND = 100
const LOOK_MS = 20

/** What one run of a program cost. */
export interface Cost {
  wallMs: number
  /** User and system time of all its threads, to 10 ms. */
  cpuMs: number
  peakRssMiB: number
}

export interface ProgramRun extends Cost {
  stdout: string
}

/** Program and arguments. */
export type CommandLine = readonly [string, ...string[]]

export interface RunSettings {
  env?: Record<string, string>
  /** Where standard output goes: kept (the default), or to /dev/null, which costs neither side anything. */
  output?: 'keep' | 'discard'
}

/**
 * Runs a program to its end.
 *
 * @throws Error with the end of its output when it cannot be started or ends with a code other than 0
 */
export async function runProgram([program, ...args]: CommandLine, settings: RunSettings = {}): Promise<ProgramRun> {
  const cpuBefore = childrenCpuMs()
  const start = process.hrtime.bigint()
  const child = spawn(program, args, {
    env: { ...process.env, ...settings.env },
    stdio: ['ignore', settings.output === 'discard' ? 'ignore' : 'pipe', 'pipe'],
  })
  let peakRssMiB = 0
  const looking = setInterval(() => {
    peakRssMiB = Math.max(peakRssMiB, peakRss(child.pid))
  }, LOOK_MS)
  try {
    const stdout = await outputOf(child, program)
    const wallMs = Number(process.hrtime.bigint() - start) / 1e6
    return { stdout, wallMs, cpuMs: childrenCpuMs() - cpuBefore, peakRssMiB }
  } finally {
    clearInterval(looking)
  }
}

/** Collects a child's standard output. @throws Error as runProgram does */
export function outputOf(child: ChildProcess, program: string): Promise<string> {
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(out).toString())
      else reject(new Error(`${program} ended with ${signal ?? code}: ${Buffer.concat(err).toString().trim()}`))
    })
  })
}

/** User and system time of this process's ended children, and theirs (proc_pid_stat(5), cutime and cstime). */
function childrenCpuMs(): number {
  const fields = statFields('self')
  return ticks(fields, 13) + ticks(fields, 14)
}

/** User and system time of a running process, or of one of its threads. Milliseconds, to 10. */
export function cpuMs(pid: number, thread?: number): number {
  const fields = statFields(thread === undefined ? String(pid) : `${pid}/task/${thread}`)
  return ticks(fields, 11) + ticks(fields, 12)
}

const ticks = (fields: string[], index: number): number => (Number(fields[index]) * 1000) / TICKS_PER_SECOND

/** Fields of /proc/<who>/stat from the third (state) on: the second may hold spaces. */
function statFields(who: string): string[] {
  const text = readFileSync(`/proc/${who}/stat`, 'utf8')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
}

/** Current and peak resident memory of a process, MiB; 0 after its end. */
export const residentMiB = (pid: number): number => statusMiB(pid, 'VmRSS')
const peakRss = (pid: number | undefined): number => (pid === undefined ? 0 : statusMiB(pid, 'VmHWM'))

function statusMiB(pid: number, field: string): number {
  try {
    const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Math.round(Number(match?.[1] ?? 0) / 1024)
  } catch {
    return 0
  }
}

/** Resident memory by mapping, MiB. */
export interface ResidentParts {
  /** Without `rings`. */
  all: number
  /** Of Node.js's own file. */
  node: number
  /** Of other files. */
  files: number
  /** Of the C library's first arena. */
  malloc: number
  anonymous: number
  /** Of packet sockets: kernel memory that every capture has mapped. */
  rings: number
}

/** What is resident of a process, by /proc/<pid>/smaps (proc_pid_smaps(5)). */
export function residentParts(pid: number): ResidentParts {
  const parts: ResidentParts = { all: 0, node: 0, files: 0, malloc: 0, anonymous: 0, rings: 0 }
  let part: keyof ResidentParts = 'anonymous'
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const [, path] = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$/.exec(line) ?? []
    if (path !== undefined) part = partOf(path)
    const [, kib] = /^Rss:\s+(\d+) kB$/.exec(line) ?? []
    if (kib === undefined) continue
    parts[part] += Number(kib) / 1024
    if (part !== 'rings') parts.all += Number(kib) / 1024
  }
  return parts
}

function partOf(path: string): Exclude<keyof ResidentParts, 'all'> {
  if (path.startsWith('socket:')) return 'rings'
  if (path === '[heap]') return 'malloc'
  if (path.endsWith('/node')) return 'node'
  return path.startsWith('/') ? 'files' : 'anonymous'
}
