/**
 * Live capture at speed: tcpreplay sends a trace into one end of a veth pair as fast as it can, the program captures at
 * the other. On two CPUs sender, kernel and program share them.
 */
import { type LiveSample, replayLive } from './live-run.ts'
import { inPath } from './programs.ts'
import { figure, type Missing, type Section, spreadText, whole } from './report.ts'
import { spread } from './statistics.ts'
import type { Trace } from './traces.ts'
import { VethPair } from './veth.ts'

export interface LiveOptions {
  rounds: number
  /** Assemblers. */
  workers: number
}

/** Why live capture cannot be measured here, or null. */
export function liveMissing(what: string): Missing | null {
  if (process.getuid?.() !== 0) return { what, why: 'run as root' }
  for (const [program, hint] of [
    ['ip', 'iproute2'],
    ['ethtool', 'ethtool'],
    ['tcpreplay', 'tcpreplay'],
  ] as const) {
    if (!inPath(program)) return { what, why: `install ${hint}` }
  }
  return null
}

async function replayOnce(trace: Trace, workers: number): Promise<LiveSample> {
  const veth = new VethPair()
  try {
    return await replayLive(veth, trace, ['--topspeed'], ['--workers', String(workers)])
  } finally {
    veth.delete()
  }
}

/** Replays each trace `rounds` times, alternating between them. */
export async function measureLive(traces: readonly Trace[], options: LiveOptions): Promise<Section | Missing> {
  const missing = liveMissing('live capture')
  if (missing !== null) return missing
  const samples = traces.map(() => [] as LiveSample[])
  for (let round = 0; round < options.rounds; round++) {
    for (const [i, trace] of traces.entries()) samples[i].push(await replayOnce(trace, options.workers))
  }
  const results = traces.map((trace, i) => ({ trace: trace.name, sent: trace.pairs, ...summarize(samples[i]) }))
  return {
    title: `Live: veth at tcpreplay's top speed, one interface, ${options.workers} assemblers`,
    columns: ['', 'frames/s offered', 'kernel drops', 'ring drops', 'pairs found of sent', 'CPU µs/pair', 'RSS'],
    rows: results.map((result) => [
      result.trace,
      spreadText(result.framesPerSecond),
      spreadText(result.kernelDropped),
      spreadText(result.ringDropped),
      `${spreadText(result.pairs)} of ${result.sent === null ? '?' : whole(result.sent)}`,
      spreadText(result.cpuMicrosPerPair, figure),
      `${whole(result.rssMiB.max)} MiB`,
    ]),
    notes: ['CPU: user and system time of the whole program while frames arrived, by pair found'],
    data: { workers: options.workers, results },
  }
}

function summarize(samples: readonly LiveSample[]) {
  const over = (pick: (sample: LiveSample) => number) => spread(samples.map(pick))
  return {
    framesPerSecond: over((sample) => sample.framesPerSecond),
    kernelDropped: over((sample) => sample.kernelDropped),
    ringDropped: over((sample) => sample.ringDropped),
    pairs: over((sample) => sample.pairs),
    cpuMicrosPerPair: over((sample) => sample.cpuMicrosPerPair),
    rssMiB: over((sample) => sample.rssMiB),
  }
}
