/** The cost of the idle program: CPU time, wake-ups of all threads, and memory, of `capture` and of the agent. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupMount } from '../rig/cgroup-mount.ts'
import { Namespace } from '../rig/netns.ts'
import { programOf } from '../rig/node-processes.ts'
import { NodeRig } from '../rig/node-rig.ts'
import { killAtExit } from '../rig/process-tree.ts'
import { PROGRAM } from '../rig/root.ts'
import { cpuMs, type ResidentParts, residentParts } from './measure.ts'
import { inPath } from './programs.ts'
import { figure, type Missing, type Section, whole } from './report.ts'

const WHAT = 'idle'
const PODS = [10, 110]
/** Within this time V8 has finished compiling, and the agent rereads listening sockets only once a minute. */
const SETTLE_MS = 240_000
const MEASURE_MS = 30_000
/** With the image's setting. */
const NODE = ['env', 'MALLOC_ARENA_MAX=1', process.execPath] as const
const AGENT = [
  'agent',
  '--set',
  'ship.sink=none',
  '--set',
  'kubernetes.enabled=false',
  '--set',
  'admin.address=127.0.0.1:0',
]

/** While nothing happens. */
interface IdleSample {
  /** Of one core. */
  cpuPercent: number
  wakeUpsPerSecond: number
  resident: ResidentParts
}

export async function measureIdle(): Promise<Section | Missing> {
  const missing = ['ip', 'unshare', 'nsenter'].find((program) => !inPath(program))
  if (missing !== undefined) return { what: WHAT, why: `install ${missing}` }
  if (process.getuid?.() !== 0) return { what: WHAT, why: 'run as root' }
  const rows = [{ what: '`capture` of one interface', ...(await idleCapture()) }]
  for (const pods of PODS) {
    const sample = await idleAgent(pods)
    if (sample !== null) rows.push({ what: `the agent with ${pods} pods`, ...sample })
  }
  return {
    title: 'Idle: nothing is sent',
    columns: [
      '',
      'CPU',
      'wake-ups/s',
      'resident',
      'of Node.js',
      'other files',
      'malloc',
      'anonymous',
      'kernel rings beside',
    ],
    rows: rows.map(
      ({ what, cpuPercent, wakeUpsPerSecond, resident: { all, node, files, malloc, anonymous, rings } }) => [
        what,
        `${figure(cpuPercent)} % of a core`,
        whole(wakeUpsPerSecond),
        `${whole(all)} MiB`,
        ...[node, files, malloc, anonymous, rings].map(whole),
      ],
    ),
    notes: [
      'no process is started on the node: otherwise the agent looks for new pods, at the cost of a scan (`discovery`)',
      'anonymous: heaps, code and stacks of the threads, and what of shared memory is in use; MALLOC_ARENA_MAX=1, as in the image',
    ],
    data: { rows },
  }
}

async function idleCapture(): Promise<IdleSample> {
  const namespace = Namespace.create()
  try {
    return await sampleOf(namespace.spawn(...NODE, PROGRAM, 'capture', '-i', 'lo', '-o', 'none'))
  } finally {
    namespace.delete()
  }
}

/** @returns null where cgroups cannot be made */
async function idleAgent(pods: number): Promise<IdleSample | null> {
  const version = (['v2', 'v1'] as const).find((each) => cgroupMount(each) !== null)
  if (version === undefined) return null
  const endings: (() => unknown)[] = []
  try {
    const rig = await NodeRig.createApart({ after: (ending) => endings.push(ending as () => unknown) }, version)
    for (let i = 0; i < pods; i++) await rig.pod().run('main')
    freezeForks(rig)
    const [enter = '', ...words] = rig.within(true)
    return await sampleOf(spawn(enter, [...words, ...NODE, PROGRAM, ...AGENT]))
  } finally {
    for (const ending of endings) await ending()
  }
}

/** To the node's programs no process is ever started, so that other programs of this machine do not count. */
function freezeForks(rig: NodeRig): void {
  const [enter = '', ...words] = rig.within(false)
  const script = 'set -e; mount -t tmpfs none /mnt; cp /proc/stat /mnt/stat; mount --bind /mnt/stat /proc/stat'
  execFileSync(enter, [...words, 'sh', '-c', script])
}

async function sampleOf(child: ChildProcess): Promise<IdleSample> {
  killAtExit(child)
  child.stdout?.resume()
  child.stderr?.resume()
  await sleep(SETTLE_MS)
  const pid = programOf(child.pid!)
  const before = { ms: performance.now(), cpuMs: cpuMs(pid), wakeUps: wakeUps(pid) }
  await sleep(MEASURE_MS)
  const ms = performance.now() - before.ms
  const sample = {
    cpuPercent: (100 * (cpuMs(pid) - before.cpuMs)) / ms,
    wakeUpsPerSecond: (1000 * (wakeUps(pid) - before.wakeUps)) / ms,
    resident: residentParts(pid),
  }
  process.kill(pid, 'SIGTERM')
  return sample
}

/** How often the threads of a process have slept so far (proc_pid_status(5), voluntary_ctxt_switches). */
function wakeUps(pid: number): number {
  const counts = readdirSync(`/proc/${pid}/task`).map((thread) => {
    const status = readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8')
    return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1] ?? 0)
  })
  return counts.reduce((sum, count) => sum + count, 0)
}
