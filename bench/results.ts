/**
 * Results that documents quote (bench/results.json): of each part of the benchmarks the last run with `--publish`, by major
 * version of Node.js. A run replaces the parts that it measured.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../rig/root.ts'
import type { Part } from './options.ts'
import type { Machine } from './report.ts'

const FILE = join(ROOT, 'bench', 'results.json')

/** What one run of a part measured, and where. */
export interface PartResult {
  machine: Machine
  /** The `data` of its sections. */
  data: readonly unknown[]
}

/** By major version of Node.js. */
export type Results = Readonly<Record<string, Partial<Record<Part, PartResult>>>>

export const readResults = (): Results => JSON.parse(readFileSync(FILE, 'utf8')) as Results

/** Replaces the results of a part for the version of Node.js that measured it. */
export function publishResults(part: Part, result: PartResult): void {
  const results = readResults()
  const major = process.versions.node.split('.')[0]
  const published = { ...results, [major]: { ...results[major], [part]: result } }
  writeFileSync(FILE, `${JSON.stringify(published, null, 2)}\n`)
}
