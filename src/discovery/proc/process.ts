/** What discovery reads of one process. All of it comes from /proc/<pid> (proc(5)); no process memory is kept. */
import { type CgroupFacts, parseCgroup } from './cgroup.ts'
import { DENIED, GONE, type Listed, type ProcFiles, type Refusal } from './proc-files.ts'

/** The host's first process. A process in the same network namespace uses the host's network. */
export const HOST_PID = 1

/** Bytes read of a command line; the rest of a longer one is not needed. */
const MAX_COMMAND_BYTES = 4096
/** Bytes read of an environment. */
const MAX_ENVIRONMENT_BYTES = 128 * 1024

/** One process. */
export interface ProcessFacts {
  readonly pid: number
  /** Ticks of 10 ms since the host booted. */
  readonly startTicks: number
  /** The program's name: the base name of the command line's first word; without a command line, the kernel's name. */
  readonly name: string
  /** The command line, words separated by single spaces; empty for the host's own processes, where it is not read. */
  readonly command: string
  /** Inode of its network namespace. */
  readonly netns: number
  readonly cgroup: CgroupFacts
  readonly hints: NameHints
  /**
   * Whether it belongs to the container runtime, although its cgroup is the pod's. `runc:[2:INIT]` is one until it
   * executes the container's program.
   */
  readonly isRuntimeHelper: boolean
}

/** The pod's name according to a container's environment. A hint only: a pod's author can set it to anything. */
export interface NameHints {
  /** POD_NAME, which sidecars set explicitly. */
  readonly podName: string | null
  /** HOSTNAME: the pod's name by default; the node's name with the host's network. */
  readonly hostName: string | null
  readonly namespace: string | null
}

const NO_HINTS: NameHints = { podName: null, hostName: null, namespace: null }

/**
 * Programs that set up and monitor containers; some run in the pod's cgroup. Kata's shim is excluded because it can be
 * the virtual machine itself.
 */
const RUNTIME_HELPER = /^(?:runc(?::.*)?|crun|youki|runsc|conmon|conmonrs|containerd-shim(?!-kata).*)$/

/** Whether it is the pause container's process, which only holds the pod's namespaces. */
export const isPause = ({ name }: ProcessFacts): boolean => name === 'pause' || name === 'catatonit'

/**
 * Reads a process.
 *
 * @param hostNetns inode of the host's network namespace. A process in it that is in no container is read only as far
 *   as needed to establish that.
 */
export function readProcess(files: ProcFiles, pid: number, hostNetns: number): ProcessFacts | Refusal {
  const netns = readNetns(files, pid)
  if (typeof netns !== 'number') return netns
  const stat = files.read(`${pid}/stat`)
  if (typeof stat !== 'string') return stat
  const text = files.read(`${pid}/cgroup`)
  if (typeof text !== 'string') return text
  const cgroup = parseCgroup(text)
  const { kernelName, startTicks } = parseStat(stat)
  const contained = cgroup.podUid !== null || cgroup.containerId !== null || cgroup.monitor
  if (netns === hostNetns && !contained) {
    return { pid, startTicks, name: kernelName, command: '', netns, cgroup, hints: NO_HINTS, isRuntimeHelper: false }
  }
  const commandLine = files.read(`${pid}/cmdline`, MAX_COMMAND_BYTES)
  if (typeof commandLine !== 'string') return commandLine
  const name = programName(commandLine) || kernelName
  return {
    pid,
    startTicks,
    name,
    command: commandLine.replaceAll('\0', ' ').trimEnd(),
    netns,
    cgroup,
    hints: cgroup.podUid === null ? NO_HINTS : readHints(files, pid),
    isRuntimeHelper: cgroup.monitor || RUNTIME_HELPER.test(name),
  }
}

/** The first word's base name. setproctitle(3) leaves a single word with spaces: `nginx: master process nginx`. */
function programName(commandLine: string): string {
  const [words = ''] = commandLine.split('\0', 1)
  const [program = ''] = words.split(' ', 1)
  return program.slice(program.lastIndexOf('/') + 1).replace(/:$/, '')
}

/** Inode of a process's network namespace. @param pid or `self` */
export function readNetns(files: ProcFiles, pid: number | string): number | Refusal {
  const link = files.readLink(`${pid}/ns/net`)
  if (typeof link !== 'string') return link
  const inode = Number(link.slice(link.indexOf('[') + 1, -1))
  return Number.isSafeInteger(inode) ? inode : GONE
}

/**
 * Inode of the host's network namespace, which is that of its first process.
 *
 * @param listed all visible processes
 * @returns where pid 1 alone denies access to its namespace, because it has capabilities that this process lacks, the
 *   inode comes from another process of that namespace: /proc/<pid>/net/dev is readable by everyone and has the same
 *   inode for all processes of one namespace
 */
export function readHostNetns(files: ProcFiles, listed: readonly Listed[]): number | Refusal {
  const own = readNetns(files, HOST_PID)
  if (own !== DENIED) return own
  const wanted = files.inode(`${HOST_PID}/net/dev`)
  if (typeof wanted === 'symbol') return wanted
  for (const pid of ['self', ...listed.map((one) => one.pid)]) {
    if (files.inode(`${pid}/net/dev`) !== wanted) continue
    const netns = readNetns(files, pid)
    if (typeof netns === 'number') return netns
  }
  return DENIED
}

/** /proc/<pid>/stat: `42 (name) S 1 …`; the name may contain spaces and parentheses. Field 22 is the start time. */
export function parseStat(text: string): { kernelName: string; startTicks: number } {
  const close = text.lastIndexOf(')')
  const fields = text.slice(close + 2).split(' ')
  return { kernelName: text.slice(text.indexOf('(') + 1, close), startTicks: Number(fields[19] ?? 0) }
}

/** An RFC 1123 subdomain, as the names of pods and namespaces are. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

function readHints(files: ProcFiles, pid: number): NameHints {
  const text = files.read(`${pid}/environ`, MAX_ENVIRONMENT_BYTES)
  return typeof text === 'string' ? parseHints(text) : NO_HINTS
}

/** @param environment as in /proc/<pid>/environ: `NAME=value` entries, each terminated by NUL */
export function parseHints(environment: string): NameHints {
  const values = `\0${environment}`
  const value = (name: string): string | null => {
    const at = values.indexOf(`\0${name}=`)
    if (at < 0) return null
    const start = at + name.length + 2
    const end = values.indexOf('\0', start)
    const found = values.slice(start, end < 0 ? undefined : end)
    return NAME.test(found) ? found : null
  }
  return {
    podName: value('POD_NAME') ?? value('_pod_name'),
    hostName: value('HOSTNAME'),
    namespace: value('POD_NAMESPACE') ?? value('_pod_ns'),
  }
}
