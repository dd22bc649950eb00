/**
 * Passes of the parse stage over one capture (parse-pass.ts).
 *
 *     node dist/bench/parse-stage.js TRACE [RUNS]    one JSON line
 */
import { readFileSync } from 'node:fs'
import { compileProgram } from '../src/assemble/host/program.ts'
import { setCompilerFlags } from '../src/thread/v8-flags.ts'
import { parsePass } from './parse-pass.ts'
import { spread } from './statistics.ts'

const [path, runs = '5'] = process.argv.slice(2)
if (path === undefined) throw new Error('usage: parse-stage TRACE [RUNS]')
// In the order of a run: kept code is accepted only while V8's flags are unchanged.
compileProgram()
setCompilerFlags()
const file = readFileSync(path)
const results = Array.from({ length: Number(runs) }, () => parsePass(file))
const best = results.reduce((a, b) => (b.ms < a.ms ? b : a))
const { median } = spread(results.map(({ ms }) => ms))
const cpu = spread(results.map(({ cpuMs }) => cpuMs))
process.stdout.write(
  `${JSON.stringify({
    pairs: best.pairs,
    frames: best.frames,
    fileBytes: file.length,
    encodedBytes: best.encodedBytes,
    pairsPerSecond: Math.round((best.pairs / median) * 1000),
    nanosPerPair: Math.round((median / best.pairs) * 1e6),
    cpuNanosPerPair: Math.round((cpu.median / best.pairs) * 1e6),
    bestNanosPerPair: Math.round((best.ms / best.pairs) * 1e6),
    rssMiB: Math.round(process.memoryUsage().rss / 1048576),
  })}\n`,
)
