/** Resident memory over a long live capture: one interface, with the same traffic repeated at a steady rate. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { liveMissing } from './live.ts'
import { LiveRun } from './live-run.ts'
import { figure, type Missing, type Section, whole } from './report.ts'
import { slope } from './statistics.ts'
import type { Trace } from './traces.ts'
import { VethPair } from './veth.ts'

const LOOK_MS = 1000
/** Well under what two CPUs carry, so that nothing but memory is measured. */
const FRAMES_PER_SECOND = 60_000
/** Points of time in the table. */
const SHOWN = 6

export interface MemoryOptions {
  minutes: number
  /** Assemblers. */
  workers: number
}

/** Captures for `minutes` and samples the program's memory every second. */
export async function measureMemory(trace: Trace, options: MemoryOptions): Promise<Section | Missing> {
  const missing = liveMissing('memory over time')
  if (missing !== null) return missing
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-bench-'))
  const veth = new VethPair()
  try {
    const summary = join(folder, 'summary.json')
    const run = await LiveRun.start(veth, ['--workers', String(options.workers), '--summary', summary])
    const resident: number[] = []
    const looking = setInterval(() => resident.push(run.rssMiB), LOOK_MS)
    const speed = ['--pps', String(FRAMES_PER_SECOND), '--loop', '1000000', '--unique-ip', '--preload-pcap']
    const end = AbortSignal.timeout(options.minutes * 60_000)
    const { frames } = await veth.replay([...speed, trace.path], end)
    await run.settle()
    clearInterval(looking)
    await run.stop()
    return memorySection(trace, options, frames, resident, readFileSync(summary, 'utf8'))
  } finally {
    veth.delete()
    rmSync(folder, { recursive: true })
  }
}

function memorySection(
  trace: Trace,
  { minutes, workers }: MemoryOptions,
  frames: number,
  resident: readonly number[],
  summary: string,
): Section {
  const ledger = JSON.parse(summary) as { frames: { kernelDropped: number }; pairs: { shipped: number } }
  const secondHalf = resident.slice(resident.length >> 1)
  const perMinute = (slope(secondHalf) * 60_000) / LOOK_MS
  const at = (share: number): number => Math.round(share * (resident.length - 1))
  const shown = Array.from({ length: SHOWN }, (_, i) => at(i / (SHOWN - 1)))
  const rest = [`${figure(perMinute)} MiB/min`, `${Math.max(...resident)} MiB`]
  return {
    title: `Memory: ${figure(minutes)} minutes of live capture, ${trace.name}, one interface, ${workers} assemblers`,
    columns: ['', ...shown.map((second) => `${second} s`), 'rise in the second half', 'most'],
    rows: [['RSS, MiB', ...shown.map((second) => String(resident[second])), ...rest]],
    notes: [
      `${whole(frames)} frames sent, ${whole(ledger.pairs.shipped)} pairs, ${whole(ledger.frames.kernelDropped)} kernel drops`,
    ],
    data: { minutes, workers, frames, ledger, residentMiB: resident, perMinute },
  }
}
