/**
 * Measures the costs of kinds of traffic (cost-kinds.ts) in the parse stage: the best of some rounds, in which the
 * kinds alternate, so that a disturbance of the machine affects all of them.
 *
 *     node dist/bench/cost-pass.js ROUNDS KIND...    one JSON line
 */
import { compileProgram } from '../src/assemble/host/program.ts'
import { setCompilerFlags } from '../src/thread/v8-flags.ts'
import { COST_KINDS, type CostKind, isCostKind } from './cost-kinds.ts'
import type { ParsePass } from './parse-pass.ts'

const [rounds, ...kinds] = process.argv.slice(2)
if (kinds.length === 0) throw new Error(`usage: cost-pass ROUNDS ${Object.keys(COST_KINDS).join('|')}...`)
// In the order of a run: kept code is accepted only while V8's flags are unchanged.
compileProgram()
setCompilerFlags()
const best: Partial<Record<CostKind, ParsePass>> = {}
for (let round = 0; round < Number(rounds); round++) {
  for (const kind of kinds.filter(isCostKind)) {
    const pass = COST_KINDS[kind]()
    if (pass.cpuMs < (best[kind]?.cpuMs ?? Number.POSITIVE_INFINITY)) best[kind] = pass
  }
}
process.stdout.write(`${JSON.stringify(best)}\n`)
