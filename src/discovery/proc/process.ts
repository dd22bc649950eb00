/** What discovery knows of one process. Everything comes from /proc/<pid> (proc(5)); nothing of its memory is kept. */
import { type CgroupFacts, parseCgroup } from './cgroup.ts'
import { GONE, type ProcFiles, type Refusal } from './proc-files.ts'

/** Read of a command line; the rest of a longer one plays no part. Bytes. */
const MAX_COMMAND_BYTES = 4096
/** Read of an environment. Bytes. */
const MAX_ENVIRONMENT_BYTES = 128 * 1024

/** One process. */
export interface ProcessFacts {
  readonly pid: number
  /** Since the host started, in ticks of 10 ms. */
  readonly startTicks: number
  /** The program's name: the last part of the first word of its command line; the kernel's name for it where there is none. */
  readonly name: string
  /** Its command line, words apart by single spaces; empty where it plays no part (processes of the host). */
  readonly command: string
  /** Inode of its network namespace. */
  readonly netns: number
  readonly cgroup: CgroupFacts
  readonly hints: NameHints
  /**
   * Whether it belongs to the container runtime rather than to the pod in whose cgroup it is. `runc:[2:INIT]` is one
   * until the container's program takes its place.
   */
  readonly isRuntimeHelper: boolean
}

/** What a container's environment says its pod is called. A hint, since anybody may set it. */
export interface NameHints {
  /** Set on purpose: POD_NAME, as sidecars have it. */
  readonly podName: string | null
  /** HOSTNAME: the pod's name unless the pod says otherwise, and the node's name with the host's network. */
  readonly hostName: string | null
  readonly namespace: string | null
}

const NO_HINTS: NameHints = { podName: null, hostName: null, namespace: null }

/** Programs that set containers up and watch them, some of them in the pod's cgroup. Kata's shim can be the machine itself. */
const RUNTIME_HELPER = /^(?:runc(?::.*)?|crun|youki|runsc|conmon|conmonrs|containerd-shim(?!-kata).*)$/

/** Whether it holds the pod's namespaces and does nothing else. */
export const isPause = ({ name }: ProcessFacts): boolean => name === 'pause' || name === 'catatonit'

/**
 * Reads a process.
 *
 * @param hostNetns inode of the host's network namespace. A process there that is in no container is read no further
 *   than to know that.
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

/** Of the first word the last part. setproctitle(3) leaves one word with spaces: `nginx: master process nginx`. */
function programName(commandLine: string): string {
  const program = commandLine.split('\0', 1)[0].split(' ', 1)[0]
  return program.slice(program.lastIndexOf('/') + 1).replace(/:$/, '')
}

/** Inode of a process's network namespace. @param pid or `self` */
export function readNetns(files: ProcFiles, pid: number | string): number | Refusal {
  const link = files.readLink(`${pid}/ns/net`)
  if (typeof link !== 'string') return link
  const inode = Number(link.slice(link.indexOf('[') + 1, -1))
  return Number.isSafeInteger(inode) ? inode : GONE
}

/** /proc/<pid>/stat: `42 (name) S 1 …`; the name may hold spaces and brackets. Field 22 is the start time. */
export function parseStat(text: string): { kernelName: string; startTicks: number } {
  const close = text.lastIndexOf(')')
  const fields = text.slice(close + 2).split(' ')
  return { kernelName: text.slice(text.indexOf('(') + 1, close), startTicks: Number(fields[19] ?? 0) }
}

/** RFC 1123 subdomain, which names of pods and namespaces are. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

function readHints(files: ProcFiles, pid: number): NameHints {
  const text = files.read(`${pid}/environ`, MAX_ENVIRONMENT_BYTES)
  return typeof text === 'string' ? parseHints(text) : NO_HINTS
}

/** @param environment as in /proc/<pid>/environ: `NAME=value`, each ended by NUL */
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
