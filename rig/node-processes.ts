/**
 * Processes of a simulated node: in cgroups, in network namespaces and, for a node separate from this machine, in a pid
 * namespace of its own. Everything is ended and deleted after the test.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Namespace } from './netns.ts'
import { killAtExit } from './process-tree.ts'

const STEP_MS = 5
const START_MS = 20_000
/** A cgroup is busy for a moment after its last process has ended. */
const REMOVE_TRIES = 100

/** A process of the node. */
export interface NodeProcess {
  /** Process id in this machine's pid namespace. */
  readonly pid: number
  readonly containerId: string
}

export interface ProcessOptions {
  /** The program that runs under the name. Absent: sleep. */
  program?: readonly string[]
  env?: Record<string, string>
  /** An existing container. */
  containerId?: string
  /** Numeric group id, which rules for a mesh's proxy match. */
  group?: number
}

interface Started {
  readonly child: ChildProcess
  readonly pid: number
}

export class NodeProcesses {
  readonly #mount: string
  readonly #started = new Set<Started>()
  readonly #cgroups = new Set<string>()
  #init: Started | null = null

  /** @param mount of the cgroup hierarchy */
  constructor(mount: string) {
    this.#mount = mount
  }

  /**
   * Runs further processes in a pid namespace, whose first process has this network and whose /proc shows no other
   * processes.
   */
  async startInit(network: Namespace): Promise<void> {
    // Network namespaces are mounted here later, so mounts must propagate.
    const apart = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'slave']
    const words = [`--net=${network.path}`, ...apart, 'bash', '-c', 'exec -a init sleep infinity']
    const child = killAtExit(spawn('nsenter', words, { stdio: 'ignore' }))
    this.#init = { child, pid: await waitFor('init', child, 'init') }
  }

  /** A command prefix that runs a program like the node's processes. @param network null: unchanged */
  within(network: Namespace | null): string[] {
    const net = network === null ? [] : [`--net=${network.path}`]
    if (this.#init === null) return network === null ? [] : ['nsenter', ...net, '--']
    return ['nsenter', '--target', String(this.#init.pid), '--pid', '--mount', ...net, '--']
  }

  /**
   * Starts a process in any cgroup. A shell enters the cgroup and then executes the program, which is therefore in it
   * from its start, as in a container.
   *
   * @param network null: this machine's
   */
  async start(
    name: string,
    cgroup: string,
    network: Namespace | null,
    { program = ['sleep', 'infinity'], env = {}, containerId = '', group }: ProcessOptions = {},
  ): Promise<NodeProcess> {
    const enter = ['bash', '-c', 'echo $$ > "$0" && exec "$@"', `${this.#makeCgroup(cgroup)}/cgroup.procs`]
    const regroup = group === undefined ? [] : ['setpriv', `--regid=${group}`, '--clear-groups']
    const become = ['bash', '-c', 'exec -a "$0" "$@"', name, ...program]
    // Within first where that starts another process: it is that one that enters the cgroup.
    const words = [...this.within(network), ...enter, ...regroup, ...become]
    const options: SpawnOptions = { stdio: 'ignore', env: { PATH: process.env['PATH'] ?? '', ...env } }
    const child = killAtExit(spawn(words[0], words.slice(1), options))
    const pid = await waitFor(`${name} in ${cgroup}`, child, name)
    this.#started.add({ child, pid })
    return { pid, containerId }
  }

  /** Kills processes, and waits until they have ended. */
  async end(pids: readonly number[]): Promise<void> {
    const ending = [...this.#started].filter(({ pid }) => pids.includes(pid))
    await Promise.all(ending.map(kill))
    for (const one of ending) this.#started.delete(one)
  }

  async endAll(): Promise<void> {
    await Promise.all([...this.#started].map(kill))
    if (this.#init !== null) await kill(this.#init)
    for (const folder of [...this.#cgroups].sort((left, right) => right.length - left.length)) {
      await removeCgroup(folder)
    }
  }

  #makeCgroup(path: string): string {
    for (let at = path; at !== '.'; at = dirname(at)) this.#cgroups.add(`${this.#mount}/${at}`)
    mkdirSync(`${this.#mount}/${path}`, { recursive: true })
    return `${this.#mount}/${path}`
  }
}

/** The process that a starter like nsenter and unshare waits for; itself where it is none. */
export function programOf(pid: number): number {
  const [child] = /^(?:nsenter|unshare)$/m.test(readProc(pid, 'comm')) ? childrenOf(pid) : []
  return child === undefined ? pid : programOf(child)
}

function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  // `42 (name) S 41 …`; the name may hold spaces and brackets.
  return pids.map(Number).filter((pid) => readProc(pid, 'stat').split(') ').at(-1)?.split(' ')[1] === String(parent))
}

/** @returns '' if it has ended */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

/** Waits until a child, or a process that it starts, has executed a program. @returns its process id */
async function waitFor(what: string, child: ChildProcess, name: string): Promise<number> {
  for (const end = Date.now() + START_MS; ; ) {
    const pid = programOf(child.pid!)
    if (readProc(pid, 'cmdline').split('\0')[0] === name) return pid
    if (Date.now() > end || child.exitCode !== null) {
      child.kill('SIGKILL')
      throw new Error(`${what} did not start`)
    }
    await new Promise((resolve) => setTimeout(resolve, STEP_MS))
  }
}

async function kill({ child, pid }: Started): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // The process has just ended, and its starter will end soon.
  }
  await exited
}

/** A network that others use as well stays: another test's, or the node's own where this machine is one. */
async function removeCgroup(folder: string): Promise<void> {
  for (let tries = 0; tries < REMOVE_TRIES; tries += 1) {
    try {
      return rmdirSync(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || hasChildren(folder)) return
      await new Promise((resolve) => setTimeout(resolve, STEP_MS))
    }
  }
}

/** A folder of cgroup files has two links, and one more for each group in it. */
const hasChildren = (folder: string): boolean => statSync(folder).nlink > 2
