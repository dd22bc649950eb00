/**
 * Runs the pipeline of `interceptor capture -i eth0 --all -o none`, and appends a line with its counts and its CPU time
 * to a file every SAMPLE_MS. A separate program, because `capture` reports its counts only at its end, and a scrape of
 * the agent's metrics costs a noticeable part of a tenth of a core.
 *
 *     node sampled-capture.js [--agent-priority] SAMPLES KEY=VALUE…
 */
import { appendFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { loadConfig } from '../src/config/load.ts'
import { count } from '../src/ledger/ledger.ts'
import { createLogger } from '../src/log/logger.ts'
import { startPipeline } from '../src/supervisor/pipeline.ts'
import { lowerPriority } from '../src/sys/priority.ts'
import { processCpuMs } from '../src/thread/cpu-time.ts'
import type { LoadCounts } from './load-series.ts'

const SAMPLE_MS = 100

const { values, positionals } = parseArgs({
  options: { 'agent-priority': { type: 'boolean', default: false } },
  allowPositionals: true,
})
const [file, ...settings] = positionals
const flags = settings.map((setting) => {
  const at = setting.indexOf('=')
  return { path: setting.slice(0, at), value: setting.slice(at + 1), name: '--set' }
})
const { config } = loadConfig({ flags, all: true, env: {} })
if (values['agent-priority']) {
  for (const problem of lowerPriority(config.priority)) process.stderr.write(`${problem}\n`)
}
const handle = startPipeline({
  config: { ...config, ship: { ...config.ship, sink: 'none' } },
  input: { kind: 'interfaces', names: ['eth0'] },
  output: { format: 'none', file: null, decode: false, color: false, width: null, verbose: false },
  limit: null,
  all: true,
  log: createLogger({ level: 'info', form: 'lines', color: false, write: (text) => process.stderr.write(text) }),
  onProgress: null,
})

function sample(): void {
  const { ledger } = handle
  const { cpu, overload } = handle.observe().shedding
  const counts: LoadCounts = {
    ms: Date.now(),
    cpuMs: processCpuMs(),
    kept: Math.min(cpu, overload),
    seen: count(ledger, 'frames.seen'),
    pairs: count(ledger, 'pairs.shipped'),
    kernelDrops: count(ledger, 'frames.kernelDropped'),
    kernelShed: count(ledger, 'frames.kernelShed'),
    shed: count(ledger, 'frames.dropped.shed'),
    ringDrops: count(ledger, 'frames.dropped.ring'),
  }
  appendFileSync(file, `${JSON.stringify(counts)}\n`)
}

const sampling = setInterval(sample, SAMPLE_MS)
process.on('SIGINT', () => handle.drain())
const { exitCode } = await handle.done
clearInterval(sampling)
sample()
process.exit(exitCode)
