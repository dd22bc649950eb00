/**
 * Ratios to compare a run of the benchmarks with: how many times more a reference costs than our part, both measured in
 * the same run. A reference is another program, or less work, such as the copy alone. Unlike absolute figures, ratios
 * differ little between machines, and on a busy machine.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../rig/root.ts'

const FILE = join(ROOT, 'bench', 'baseline.json')
/** By name, such as `api: parse stage, one core × tshark`. More is better. */
export type Ratios = Readonly<Record<string, number>>

/** What something costs, by who does it, all in one unit. */
export type Costs = Readonly<Record<string, number>>

/** The ratios of each of our costs to each reference's. @param what all do; @param references the names of those that are not ours */
export function ratiosOf(what: string, costs: Costs, references: RegExp): Ratios {
  const ratios: Record<string, number> = {}
  const all = Object.entries(costs)
  for (const [reference, cost] of all.filter(([name]) => references.test(name))) {
    for (const [name, ourCost] of all.filter(([other]) => !references.test(other))) {
      ratios[`${what}: ${name} × ${reference}`] = Number((cost / ourCost).toPrecision(3))
    }
  }
  return ratios
}

/**
 * Compares ratios with those of the baseline, as far as both have them.
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

/** Stores ratios for this version of Node.js, in place of those with the same names. */
export function storeBaseline(ratios: Ratios): void {
  const baselines = readBaselines()
  const stored = { ...baselines[nodeMajor()], ...ratios }
  writeFileSync(FILE, `${JSON.stringify({ ...baselines, [nodeMajor()]: stored }, null, 2)}\n`)
}
