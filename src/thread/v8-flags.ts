/**
 * Raises V8's inlining budgets, which the hot path exceeds: Node.js 22 and later then use 10 to 15 % less CPU per pair
 * (measured). Node.js 20 gains nothing and keeps its defaults. Call it before any code is hot; it affects the whole process.
 */
import { setFlagsFromString } from 'node:v8'

const FIRST_MAJOR = 22

export function setInliningBudgets(): void {
  if (Number.parseInt(process.versions.node, 10) < FIRST_MAJOR) return
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000')
  setFlagsFromString('--max-inlined-bytecode-size=1000')
}
