/**
 * Ratios to compare a run of the benchmarks with: how many times less CPU time a pair costs us than it costs a
 * reference program that ran in the same run. Unlike absolute figures, ratios differ little between machines, and on a
 * busy machine.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../rig/root.ts'

const FILE = join(ROOT, 'bench', 'baseline.json')
const REFERENCES = /^(?:Go|tshark)/

/** By name, such as `api: parse stage, one core × tshark`. */
export type Ratios = Readonly<Record<string, number>>

/** The CPU time of every contender for a capture file, as reported by the offline part. */
export interface OfflineData {
  trace: { name: string }
  results: readonly { name: string; cpuMicrosPerPair: { median: number } }[]
}

export const isOffline = (data: unknown): data is OfflineData =>
  typeof data === 'object' && data !== null && 'trace' in data && 'results' in data && Array.isArray(data.results)

/** The ratios of each of our contenders to each reference. */
export function ratiosOf(sections: readonly OfflineData[]): Ratios {
  const ratios: Record<string, number> = {}
  for (const { trace, results } of sections) {
    for (const reference of results.filter(({ name }) => REFERENCES.test(name))) {
      for (const ours of results.filter(({ name }) => !REFERENCES.test(name))) {
        const ratio = reference.cpuMicrosPerPair.median / ours.cpuMicrosPerPair.median
        ratios[`${trace.name}: ${ours.name} × ${reference.name}`] = Number(ratio.toPrecision(3))
      }
    }
  }
  return ratios
}

/**
 * Compares ratios with those of the baseline. A reference that could not run is not compared.
 *
 * @param tolerancePercent by which a ratio may be lower
 * @returns a line for each that is lower still
 */
export function regressions(ratios: Ratios, baseline: Ratios, tolerancePercent: number): string[] {
  return Object.entries(baseline)
    .filter(([name, wanted]) => name in ratios && ratios[name] < wanted * (1 - tolerancePercent / 100))
    .map(([name, wanted]) => `${name}: ${ratios[name]}, the baseline is ${wanted}`)
}

/** Baselines by major version of Node.js, whose compilers differ. */
type Baselines = Record<string, Ratios>

const readBaselines = (): Baselines => JSON.parse(readFileSync(FILE, 'utf8')) as Baselines
const nodeMajor = (): string => process.versions.node.split('.')[0]

/** @returns the ratios for this version of Node.js; null when none are stored */
export const storedBaseline = (): Ratios | null => readBaselines()[nodeMajor()] ?? null

/** Stores ratios for this version of Node.js. */
export function storeBaseline(ratios: Ratios): void {
  writeFileSync(FILE, `${JSON.stringify({ ...readBaselines(), [nodeMajor()]: ratios }, null, 2)}\n`)
}
