/** The cost of a scan of a whole node: 110 pods and 2,000 real processes, in a separate pid namespace. */
import { cgroupMount } from '../rig/cgroup-mount.ts'
import { NodeRig, type RigPod } from '../rig/node-rig.ts'
import { runProgram } from './measure.ts'
import { inPath, script } from './programs.ts'
import { figure, type Missing, type Section, whole } from './report.ts'
import { spread } from './statistics.ts'

const WHAT = 'discovery'
const PODS = 110
const PROCESSES = 2000

/** What one process measured. Milliseconds of CPU time. */
export interface DiscoverySample {
  processes: number
  pods: number
  firstMs: number
  passMs: number[]
  quietMs: number[]
}

export async function measureDiscovery(): Promise<Section | Missing> {
  const missing = ['ip', 'unshare', 'nsenter'].find((program) => !inPath(program))
  if (missing !== undefined) return { what: WHAT, why: `install ${missing}` }
  const version = process.getuid?.() === 0 ? (['v2', 'v1'] as const).find((each) => cgroupMount(each) !== null) : null
  if (version === undefined || version === null) return { what: WHAT, why: 'run as root, where cgroups can be made' }
  const endings: (() => unknown)[] = []
  try {
    const rig = await NodeRig.createApart({ after: (ending) => endings.push(ending as () => unknown) }, version)
    for (let i = 0; i < PODS; i++) await fill(rig.pod())
    const [enter = '', ...words] = rig.within(false)
    const { stdout } = await runProgram([enter, ...words, process.execPath, script('discovery-scan')])
    return section(JSON.parse(stdout) as DiscoverySample)
  } finally {
    for (const ending of endings) await ending()
  }
}

/** A container with its share of the processes, all in its cgroup and network. */
async function fill(pod: RigPod): Promise<void> {
  const others = Math.ceil(PROCESSES / PODS) - 1
  const start = `for i in $(seq ${others}); do sleep infinity & done; exec -a main sleep infinity`
  await pod.run('main', { program: ['bash', '-c', start] })
}

function section(sample: DiscoverySample): Section {
  const { processes, pods, firstMs, passMs, quietMs } = sample
  const row = (what: string, ms: number[]): string[] => {
    const { median, min, max } = spread(ms)
    return [what, `${figure(median)} ms`, `${figure(min)}–${figure(max)} ms`]
  }
  return {
    title: `Discovery: CPU time of one look at a node with ${whole(processes)} processes and ${whole(pods)} pods`,
    columns: ['', 'median', 'min–max'],
    rows: [
      row('the first scan of a cold program', [firstMs]),
      row('a scan, once warm', passMs),
      row('whether anything has started since', quietMs),
    ],
    notes: ['the agent scans only when a process was started, and every 5 s'],
    data: { ...sample },
  }
}
