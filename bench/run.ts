/**
 * `npm run bench`: measures the program side by side with others in one run, prints tables, and names what could not be
 * measured. Each measurement runs in a separate process, so that no other code warms it up or fills its heap.
 */
import { writeFileSync } from 'node:fs'
import { commandLine } from '../rig/command-line.ts'
import { measureAllocation } from './allocation.ts'
import { type Ratios, regressions, storeBaseline, storedBaseline } from './baseline.ts'
import { measureCapture } from './capture.ts'
import { measureCosts } from './costs.ts'
import { measureDiscovery } from './discovery.ts'
import { measureFloods } from './floods.ts'
import { measureIdle } from './idle.ts'
import { measureImage } from './image.ts'
import { measureLatency } from './latency.ts'
import { measureLive } from './live.ts'
import { measureLiveKafka } from './live-kafka.ts'
import { measureMemory } from './memory.ts'
import { measureOffline } from './offline.ts'
import { type BenchOptions, HELP, type Part, readOptions } from './options.ts'
import { describeMachine, isMissing, isSection, machineText, type SectionResult, sectionText } from './report.ts'
import { publishResults } from './results.ts'
import { measureShip } from './ship.ts'
import { measureStart } from './start.ts'
import { givenTrace, makeTrace, type Trace } from './traces.ts'

/** Passes of the parse stage in one process: the first one or two compile. */
const PASSES = 5

function tracesOf({ traces, pairs }: BenchOptions): Trace[] {
  if (traces.length > 0) return traces.map(givenTrace)
  return [makeTrace('small', pairs), makeTrace('api', pairs)]
}

async function measure(part: Part, options: BenchOptions, traces: readonly Trace[]): Promise<SectionResult[]> {
  const { rounds, workers, minutes, goPeer, pairs } = options
  switch (part) {
    case 'offline': {
      const sections: SectionResult[] = []
      for (const trace of traces) sections.push(...(await measureOffline(trace, { rounds, passes: PASSES, goPeer })))
      return sections
    }
    case 'start':
      return [await measureStart(rounds)]
    case 'allocation':
      return [await measureAllocation(Math.ceil(pairs / 4))]
    case 'capture':
      return [await measureCapture()]
    case 'live':
      return [await measureLive(traces, { rounds, workers })]
    case 'live-kafka':
      return [await measureLiveKafka(traces.at(-1)!, rounds)]
    case 'ship':
      return measureShip(traces, rounds)
    case 'latency':
      return [await measureLatency()]
    case 'discovery':
      return [await measureDiscovery()]
    case 'idle':
      return [await measureIdle()]
    case 'memory':
      return [await measureMemory(traces.at(-1)!, { minutes, workers })]
    case 'floods':
      return [await measureFloods()]
    case 'costs':
      return [await measureCosts(rounds)]
    case 'image':
      return [measureImage()]
  }
}

/** Compares the ratios of this run with the baseline's, and stores them. */
function compare(ratios: Ratios, { check, store }: BenchOptions): void {
  if (check !== null) {
    const baseline = storedBaseline()
    const worse = regressions(ratios, baseline ?? {}, check)
    const verdict = worse.length > 0 ? 'Slower than the baseline:' : 'No ratio is lower than the baseline allows.'
    process.stdout.write(`\n${baseline === null ? 'There is no baseline for this Node.js.' : verdict}\n`)
    for (const line of worse) process.stdout.write(`  ${line}\n`)
    if (worse.length > 0) process.exitCode = 1
  }
  if (store) storeBaseline(ratios)
}

async function run(options: BenchOptions): Promise<void> {
  const machine = describeMachine()
  process.stdout.write(machineText(machine))
  const traces = tracesOf(options)
  const results: SectionResult[] = []
  for (const part of options.parts) {
    const measured = await measure(part, options, traces)
    results.push(...measured)
    const sections = measured.filter(isSection)
    for (const section of sections) process.stdout.write(sectionText(section))
    if (options.publish && sections.length > 0)
      publishResults(part, { machine, data: sections.map(({ data }) => data) })
  }
  const missing = new Map(results.filter(isMissing).map(({ what, why }) => [what, why]))
  if (missing.size > 0) process.stdout.write('\nNot measured here:\n')
  for (const [what, why] of missing) process.stdout.write(`  ${what}: ${why}\n`)
  const measured = results.filter(isSection)
  compare(Object.assign({}, ...measured.map(({ ratios }) => ratios)), options)
  const sections = measured.map(({ title, data }) => ({ title, data }))
  if (options.json === null) return
  writeFileSync(
    options.json,
    `${JSON.stringify({ machine, sections, missing: Object.fromEntries(missing) }, null, 2)}\n`,
  )
}

await run(commandLine(HELP, process.argv.slice(2), readOptions))
