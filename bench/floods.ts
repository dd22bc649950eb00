/**
 * Floods through `interceptor read` with the chart's heap and the default limits: the good pairs that come out, and what
 * the program needs for it.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PROGRAM } from '../rig/root.ts'
import { FLOODS, type Flood, writeFlood } from './flood-traces.ts'
import { runProgram } from './measure.ts'
import { type Section, whole } from './report.ts'

/** What the chart's memory limit leaves for the main thread's heap. */
const HEAP = '--max-old-space-size=102'

interface FloodResult {
  flood: string
  good: number
  found: number
  peakRssMiB: number
  cpuMs: number
  evicted: { flows: number; requests: number; gaps: number }
}

interface Summary {
  flows: { closed: { evicted?: number } }
  requests: { abandoned: { evicted?: number } }
  gaps: { evicted?: number }
  pairs: { shipped: number }
}

async function runFlood(flood: Flood, folder: string): Promise<FloodResult> {
  const trace = join(folder, 'flood.pcap')
  const summary = join(folder, 'summary.json')
  const good = writeFlood(trace, flood)
  const args = ['read', '-q', '-o', 'none', '--summary', summary, trace]
  const { peakRssMiB, cpuMs } = await runProgram([process.execPath, HEAP, PROGRAM, ...args])
  const { flows, requests, gaps, pairs } = JSON.parse(readFileSync(summary, 'utf8')) as Summary
  const evicted = {
    flows: flows.closed.evicted ?? 0,
    requests: requests.abandoned.evicted ?? 0,
    gaps: gaps.evicted ?? 0,
  }
  return { flood: flood.name, good, found: pairs.shipped, peakRssMiB, cpuMs, evicted }
}

const percent = (part: number): string => `${(100 * part).toFixed(2)} %`

/** @throws Error when `read` ends with a code other than 0: a thread has crashed */
export async function measureFloods(): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-bench-'))
  try {
    const results: FloodResult[] = []
    for (const flood of FLOODS) results.push(await runFlood(flood, folder))
    return {
      title: `Floods: interceptor read, ${HEAP}, default limits`,
      columns: ['', 'good pairs', 'found', 'goal', 'RSS at most', 'CPU', 'evicted: connections', 'requests', 'holes'],
      rows: results.map(({ flood, good, found, peakRssMiB, cpuMs, evicted }, i) => [
        flood,
        whole(good),
        percent(found / good),
        percent(FLOODS[i].goal),
        `${peakRssMiB} MiB`,
        `${(cpuMs / 1000).toFixed(1)} s`,
        whole(evicted.flows),
        whole(evicted.requests),
        whole(evicted.gaps),
      ]),
      notes: [],
      data: { results },
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
