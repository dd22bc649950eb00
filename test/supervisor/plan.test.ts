import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { createLogger } from '../../src/log/logger.ts'
import { cpuLimit } from '../../src/supervisor/cpu/cpu-limit.ts'
import type { PipelineOptions } from '../../src/supervisor/options.ts'
import { type Plan, planRun } from '../../src/supervisor/plan.ts'

function plan(
  change: (config: Config) => Config = (config) => config,
  parts: Partial<PipelineOptions> = {},
  interfaces: number | null = 1,
): Plan {
  const options: PipelineOptions = {
    config: change(defaultConfig()),
    input: { kind: 'files', paths: ['a.pcap'], follow: false },
    output: { format: 'text', file: null, decode: true, color: false, width: null, verbose: false },
    limit: null,
    all: false,
    log: createLogger({ level: 'silent', form: 'lines' }),
    onProgress: null,
    ...parts,
  }
  return planRun(options, interfaces)
}

const live: Partial<PipelineOptions> = { input: { kind: 'interfaces', names: ['eth0'] } }

describe('plan', () => {
  test("the node's name is the configuration's", () => {
    assert.equal(plan((config) => ({ ...config, node: { name: 'configured' } })).node, 'configured')
  })

  test('file input uses one assembler and waits, so that every run has the same result', () => {
    assert.equal(plan().assemblers, 1)
    assert.equal(plan().whenFull, 'wait')
  })

  test('live capture drops instead of waiting, with one to eight assemblers', () => {
    const { whenFull, assemblers } = plan(undefined, live)
    assert.equal(whenFull, 'drop')
    assert.ok(assemblers >= 1 && assemblers <= 8)
  })

  test('live capture warms up unless it is disabled, and file input does not', () => {
    const cold = (config: Config): Config => ({ ...config, capture: { ...config.capture, warmUp: false } })
    assert.deepEqual(
      [plan(undefined, live), plan(cold, live), plan()].map(({ warmUpShare }) => warmUpShare),
      [1, 0, 0],
    )
  })

  test('interfaces, configuration and CPUs bound the number of capture workers', () => {
    const capturesOf = (maxWorkers: number, interfaces: number | null): number =>
      plan((config) => ({ ...config, capture: { ...config.capture, maxWorkers } }), live, interfaces).captures
    const allowed = Math.max(1, Math.floor(cpuLimit() / 4))
    assert.equal(capturesOf(256, null), allowed)
    assert.equal(capturesOf(256, 1), 1)
    assert.equal(capturesOf(1, 110), 1)
    assert.equal(plan().captures, 1)
  })

  test('a configured number of assemblers applies to files and live capture, and divides the flows', () => {
    const three = (config: Config): Config => ({ ...config, assemble: { ...config.assemble, workers: 3 } })
    assert.equal(plan(three).assemblers, 3)
    assert.equal(plan(three, live).assemblers, 3)
    assert.equal(plan(three).assemblerOptions.flows, 33_333)
    assert.equal(plan().assemblerOptions.flows, 100_000)
  })

  test('limits keep their units: bytes and microseconds', () => {
    const { messageBytes, pairBytes, responseTimeoutMicros, everything } = plan().assemblerOptions
    assert.deepEqual([messageBytes, pairBytes, responseTimeoutMicros], [1_048_576, 1_048_576, 60_000_000])
    assert.equal(everything, false)
    assert.equal(plan(undefined, { all: true }).assemblerOptions.everything, true)
  })

  test('the sink follows the configuration and the output', () => {
    const to =
      (sink: Config['ship']['sink']) =>
      (config: Config): Config => ({ ...config, ship: { ...config.ship, sink } })
    assert.equal(plan(to('none')).sink.kind, 'none')
    assert.equal(plan(to('stdout')).sink.kind, 'stream')
    assert.equal(plan(to('file')).sink.kind, 'stream')
    const none = { format: 'none', file: null, decode: true, color: false, width: null, verbose: false } as const
    assert.equal(plan(to('stdout'), { output: none }).sink.kind, 'none')
  })
})
