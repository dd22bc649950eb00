/**
 * V8's budgets for inlining, which the hot path is larger than: with these Node.js 22 and later take 10 to 15 % less CPU
 * for a pair (measured; Node.js 20 gains nothing, and keeps its own). For the whole process, before anything is hot.
 */
import { setFlagsFromString } from 'node:v8'

const FIRST_MAJOR = 22

export function setInliningBudgets(): void {
  if (Number.parseInt(process.versions.node, 10) < FIRST_MAJOR) return
  setFlagsFromString('--max-inlined-bytecode-size-cumulative=4000')
  setFlagsFromString('--max-inlined-bytecode-size=1000')
}
