/** What a run under load has counted over time (sampled-capture.ts), and figures of parts of it. */

/** Counts since the start of the program, at a time. */
export interface LoadCounts {
  /** Milliseconds of the system clock. */
  ms: number
  /** CPU time of all threads. */
  cpuMs: number
  /** The share of connections that is kept now. */
  kept: number
  seen: number
  pairs: number
  kernelDrops: number
  kernelShed: number
  shed: number
  ringDrops: number
}

/** Longest time over which CPU use is averaged to find the highest. */
const SECOND_MS = 1000

/** Reads a file of samples. Its last line may be incomplete while the program writes it. */
export function readSamples(text: string): LoadCounts[] {
  const lines = text
    .slice(0, text.lastIndexOf('\n') + 1)
    .trim()
    .split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as LoadCounts)
}

/** When the first frames were counted: the time of the sample before. Null: never. */
function beginOf(samples: readonly LoadCounts[]): number | null {
  const first = samples.findIndex(({ seen, kernelDrops }) => seen + kernelDrops > 0)
  return first === -1 ? null : samples[Math.max(0, first - 1)].ms
}

/** The last sample at or before a time, or the first of all. */
const sampleAt = (samples: readonly LoadCounts[], ms: number): LoadCounts =>
  samples.findLast((sample) => sample.ms <= ms) ?? samples[0]

/** The highest share of a core that was used in any second between two times. */
export function mostCores(samples: readonly LoadCounts[], fromMs: number, toMs: number): number {
  let most = 0
  for (const start of samples) {
    if (start.ms < fromMs || start.ms + SECOND_MS > toMs) continue
    const end = sampleAt(samples, start.ms + SECOND_MS)
    if (end.ms > start.ms) most = Math.max(most, (end.cpuMs - start.cpuMs) / (end.ms - start.ms))
  }
  return most
}

/** Seconds from a time until the last sample that did not keep every connection; 0: all did. */
export function recoverySeconds(samples: readonly LoadCounts[], fromMs: number): number {
  const last = samples.findLast(({ ms, kept }) => ms > fromMs && kept < 1)
  return last === undefined ? 0 : (last.ms - fromMs) / 1000
}

/** What one rate gave. Shares are of the frames offered. */
export interface LoadFigures {
  framesPerSecond: number
  /** Pairs assembled per second once SETTLED_MS have passed. */
  pairsPerSecond: number
  /** Pairs found of those sent. */
  coverage: number
  /** Frames dropped by the kernel: of all, of those of the first second, and of those after SETTLED_MS. */
  kernelDrops: number
  earlyDrops: number
  settledDrops: number
  /** Frames of connections shed in the kernel (an estimate) and in the program, and frames dropped one by one in front of a full ring. */
  kernelShed: number
  shed: number
  ringDrops: number
  /** On average, and in the second with the highest use. */
  cores: number
  mostCores: number
}

/** From here on a load counts as settled. */
export const SETTLED_MS = 2000

/**
 * @param sent what the sender reports @param endMs when it ended, by the system clock
 * @param pairsPerFrame of the trace
 */
export function figuresOf(
  samples: readonly LoadCounts[],
  sent: { frames: number; seconds: number },
  endMs: number,
  pairsPerFrame: number,
): LoadFigures {
  const begin = beginOf(samples) ?? endMs
  const end = Math.min(endMs, begin + sent.seconds * 1000)
  const [from, early, settled, to, last] = [
    ...[begin, begin + SECOND_MS, Math.min(end, begin + SETTLED_MS), end].map((ms) => sampleAt(samples, ms)),
    samples[samples.length - 1],
  ]
  const perMs = sent.frames / (sent.seconds * 1000)
  const settledMs = Math.max(1, to.ms - settled.ms)
  return {
    framesPerSecond: 1000 * perMs,
    pairsPerSecond: (1000 * (to.pairs - settled.pairs)) / settledMs,
    coverage: (to.pairs - from.pairs) / (sent.frames * pairsPerFrame),
    kernelDrops: (last.kernelDrops - from.kernelDrops) / sent.frames,
    earlyDrops: (early.kernelDrops - from.kernelDrops) / (perMs * Math.max(1, early.ms - from.ms)),
    settledDrops: (to.kernelDrops - settled.kernelDrops) / (perMs * settledMs),
    kernelShed: (last.kernelShed - from.kernelShed) / sent.frames,
    shed: (last.shed - from.shed) / sent.frames,
    ringDrops: (last.ringDrops - from.ringDrops) / sent.frames,
    cores: (to.cpuMs - from.cpuMs) / Math.max(1, to.ms - from.ms),
    mostCores: mostCores(samples, from.ms, to.ms),
  }
}
