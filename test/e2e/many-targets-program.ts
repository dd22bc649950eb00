/**
 * Captures `lo` in all namespaces named on the command line, prints the cost as JSON, and exits. It is a separate
 * process, so that its memory is only the pipeline's.
 */
import { readFileSync } from 'node:fs'
import { defaultConfig } from '../../src/config/load.ts'
import { createLogger } from '../../src/log/logger.ts'
import { startPipeline } from '../../src/supervisor/pipeline.ts'
import { descriptors, targetOf } from '../support/target-rig.ts'

/** The program's output. Bytes. */
export interface Taken {
  captured: number
  /** Resident, without the kernel's rings. */
  memory: number
  rings: number
  descriptorsBefore: number
  descriptors: number
  captureWorkers: number
}

const KIB = 1024
/** Time until start-up memory has been released. */
const SETTLE_MS = 6000

/** Resident bytes of this process's mappings, and of its packet rings. */
function resident(): { all: number; rings: number } {
  const sum = { all: 0, rings: 0 }
  for (const mapping of readFileSync('/proc/self/smaps', 'latin1').split(/\n(?=[0-9a-f]+-)/)) {
    const bytes = Number(/^Rss:\s+(\d+)/m.exec(mapping)?.[1] ?? 0) * KIB
    sum.all += bytes
    if (mapping.includes('socket:[')) sum.rings += bytes
  }
  return sum
}

const paths = process.argv.slice(2)
const defaults = defaultConfig()
const { capture, kafka, ship } = defaults
const pipeline = startPipeline({
  config: {
    ...defaults,
    // As many threads as on a small node, regardless of this machine's CPUs.
    capture: { ...capture, maxWorkers: 2 },
    assemble: { ...defaults.assemble, workers: 1 },
    // An absent broker: the shipping code is loaded nevertheless.
    ship: { ...ship, sink: 'kafka' },
    kafka: { ...kafka, brokers: ['127.0.0.1:1'] },
  },
  input: { kind: 'targets' },
  output: { format: 'none', file: null, decode: false, color: false, width: null, verbose: false },
  limit: null,
  all: false,
  log: createLogger({ level: 'silent', form: 'json' }),
  onProgress: null,
})
const first = paths.map((path) => targetOf({ path }))
await pipeline.add(first[0])
const descriptorsBefore = descriptors()
const results = await Promise.all(first.map((target) => pipeline.add(target)))
await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
const { all, rings } = resident()
const taken: Taken = {
  captured: results.filter((result) => result === 'captured').length,
  memory: all - rings,
  rings,
  descriptorsBefore,
  descriptors: descriptors(),
  captureWorkers: pipeline.observe().threads.filter(({ role }) => role === 'capture').length,
}
console.log(JSON.stringify(taken))
pipeline.drain()
await pipeline.done
