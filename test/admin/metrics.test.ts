import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { exposition, type Metric } from '../../src/admin/exposition.ts'
import { METRIC_GROUPS, MetricsPage } from '../../src/admin/metrics.ts'
import { type AgentState, tallyPods } from '../../src/admin/state.ts'
import { ASSEMBLE_COUNTERS, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../../src/ledger/counters.ts'
import { sumLedger } from '../../src/ledger/ledger.ts'
import { VERSION } from '../../src/version.ts'
import { agentState, block, observation, podInterface } from './agent-state.ts'
import { parseExposition, seriesValue } from './exposition-parser.ts'

const scrape = (state: AgentState, page = new MetricsPage()) => parseExposition(page.text(state, 0))

const LAYOUTS = [CAPTURE_COUNTERS, ASSEMBLE_COUNTERS, SHIP_COUNTERS]
const PATHS = [...new Set(LAYOUTS.flatMap(({ paths }) => paths))]

/** The metric of each ledger path according to docs/metrics.md, repeated here as an independent expectation. */
function seriesOf(path: string): [string, Record<string, string>] {
  const [section, name, reason] = path.split('.')
  const gauge = ['flows.open', 'requests.waiting', 'pairs.queued'].includes(path)
  const stem = section === 'bytes' ? `${name}_bytes` : `${section}_${name}`
  const snake = stem.replaceAll(/([A-Z])/g, (letter) => `_${letter.toLowerCase()}`)
  const label = section === 'flows' && name === 'protocol' ? 'protocol' : 'reason'
  return [`interceptor_${snake}${gauge ? '' : '_total'}`, reason === undefined ? {} : { [label]: reason }]
}

test('metrics: exports every counter of the ledger, summed over all blocks', () => {
  const counts = (factor: number) => Object.fromEntries(PATHS.map((path, i) => [path, factor * (i + 1)]))
  const blocks = [...LAYOUTS, ASSEMBLE_COUNTERS].map((layout) => {
    const own = Object.entries(counts(1)).filter(([path]) => layout.paths.includes(path))
    return block(layout, Object.fromEntries(own))
  })
  const interfaces = [podInterface(1, 'shop/a', counts(1_000)), podInterface(2, 'shop/b', counts(1_000_000))]
  const families = scrape(agentState({ observation: observation({ blocks, interfaces }) }))
  for (const [i, path] of PATHS.entries()) {
    const holders = blocks.filter(({ layout }) => layout.paths.includes(path)).length
    const factor = holders + (CAPTURE_COUNTERS.paths.includes(path) ? 1_001_000 : 0)
    const [name, labels] = seriesOf(path)
    assert.equal(seriesValue(families, name, labels), (i + 1) * factor, path)
  }
})

test('metrics: exports separate series for each interface, labelled with its pod', () => {
  const interfaces = [
    podInterface(4026532411, 'shop/cart-0', { 'frames.seen': 10, 'frames.skipped.nonTcp': 3, 'bytes.captured': 99 }),
    { ...podInterface(4026531840, '', { 'interfaces.lost': 2 }), name: 'ens5', up: false },
  ]
  const families = scrape(agentState({ observation: observation({ interfaces }) }))
  const cart = { interface: 'eth0', namespace: 'shop', pod: 'cart-0', netns: '4026532411' }
  const host = { interface: 'ens5', namespace: '', pod: '', netns: '4026531840' }
  assert.equal(seriesValue(families, 'interceptor_interface_frames_seen_total', cart), 10)
  assert.equal(seriesValue(families, 'interceptor_interface_frames_skipped_total', { reason: 'nonTcp', ...cart }), 3)
  assert.equal(seriesValue(families, 'interceptor_interface_captured_bytes_total', cart), 99)
  assert.equal(seriesValue(families, 'interceptor_interface_lost_total', host), 2)
  assert.equal(seriesValue(families, 'interceptor_interface_up', cart), 1)
  assert.equal(seriesValue(families, 'interceptor_interface_up', host), 0)
  assert.equal(seriesValue(families, 'interceptor_interfaces'), 2)
  const seen = families.get('interceptor_frames_seen_total')!.samples
  assert.deepEqual([...seen.values()], [{ labels: {}, value: 10 }], 'the total is one series: sums count nothing twice')
})

test('metrics: pods without a name are distinguished by their network namespaces', () => {
  const interfaces = [podInterface(7, '', { 'frames.seen': 1 }), podInterface(8, '', { 'frames.seen': 2 })]
  const families = scrape(agentState({ observation: observation({ interfaces }) }))
  assert.equal(families.get('interceptor_interface_frames_seen_total')?.samples.size, 2)
})

test('metrics: totals never decrease while interfaces are added and removed', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd')
  const step = fc.record({ name: names, goes: fc.boolean(), frames: fc.nat(1000) })
  const totals = (state: AgentState, page: MetricsPage) =>
    [...scrape(state, page)].flatMap(([metric, { type, samples }]) =>
      type === 'counter' && !metric.startsWith('interceptor_interface_')
        ? [...samples].map(([key, { value }]) => [`${metric}${key}`, value] as const)
        : [],
    )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
      const page = new MetricsPage()
      const gone = block(CAPTURE_COUNTERS)
      const present = new Map<string, ReturnType<typeof podInterface>>()
      let before = new Map<string, number>()
      for (const { name, goes, frames } of steps) {
        const one = present.get(name) ?? podInterface(1, `shop/${name}`)
        present.set(name, one)
        one.block.values[CAPTURE_COUNTERS.index.seen] += frames
        if (goes) {
          for (const [i, value] of one.block.values.entries()) gone.values[i] += value
          present.delete(name)
        }
        const now = agentState({ observation: observation({ blocks: [gone], interfaces: [...present.values()] }) })
        const after = new Map(totals(now, page))
        for (const [series, value] of before) assert.ok((after.get(series) ?? -1) >= value, series)
        before = after
      }
    }),
    { numRuns: 20 },
  )
})

test('metrics: the CPU time of a restarted thread continues', () => {
  const page = new MetricsPage()
  const spent = (cpuSeconds: number | null) => {
    const threads = [
      { role: 'ship', slot: 0, cpuSeconds, silentMs: 0, restarts: 0, state: 'ready' as const, crashLooping: false },
    ]
    return scrape(agentState({ observation: observation({ threads }) }), page)
  }
  const seconds = [2, 5, 1, 3, 0.5].map((cpu) =>
    seriesValue(spent(cpu), 'interceptor_thread_cpu_seconds_total', { role: 'ship', slot: '0' }),
  )
  assert.deepEqual(seconds, [2, 5, 6, 8, 8.5])
  assert.ok(!spent(null).has('interceptor_thread_cpu_seconds_total'))
})

test('metrics: exports rings, threads, buffer and output', () => {
  const families = scrape(agentState())
  const ring = { kind: 'frames', from: 'capture-0', to: 'assemble-0' }
  assert.equal(seriesValue(families, 'interceptor_ring_used_bytes', ring), 1024)
  assert.equal(seriesValue(families, 'interceptor_ring_capacity_bytes', ring), 4096)
  assert.equal(seriesValue(families, 'interceptor_thread_heartbeat_age_seconds', { role: 'assemble', slot: '0' }), 0.5)
  assert.equal(seriesValue(families, 'interceptor_thread_restarts_total', { role: 'assemble', slot: '0' }), 2)
  assert.equal(seriesValue(families, 'interceptor_buffer_bytes'), 100)
  assert.equal(seriesValue(families, 'interceptor_buffer_limit_bytes'), 1000)
  assert.equal(seriesValue(families, 'interceptor_buffer_oldest_age_seconds'), 2.5)
  assert.equal(seriesValue(families, 'interceptor_output_reachable'), 1)
})

test('metrics: exports discovery, watches and configuration', () => {
  const reload = { applied: 2, unchanged: 1, refused: 3, lastSuccessful: false, needRestart: ['kafka.topic'] }
  const families = scrape(agentState({ reload }))
  assert.equal(seriesValue(families, 'interceptor_pods', { mesh: 'istio', captured: 'true', reason: 'sidecar' }), 4)
  assert.equal(seriesValue(families, 'interceptor_discovery_scans_total'), 3)
  assert.equal(seriesValue(families, 'interceptor_discovery_scan_failures_total'), 1)
  assert.equal(seriesValue(families, 'interceptor_discovery_scan_cpu_seconds_total'), 0.25)
  assert.equal(seriesValue(families, 'interceptor_discovery_last_scan_age_seconds'), 0.7)
  const pods = { resource: 'pods' }
  assert.equal(seriesValue(families, 'interceptor_watch_synced', pods), 1)
  assert.equal(seriesValue(families, 'interceptor_watch_restarts_total', pods), 1)
  assert.equal(seriesValue(families, 'interceptor_watch_last_event_age_seconds', pods), 1.5)
  assert.equal(seriesValue(families, 'interceptor_watch_objects', pods), 12)
  assert.equal(seriesValue(families, 'interceptor_config_reloads_total', { result: 'refused' }), 3)
  assert.equal(seriesValue(families, 'interceptor_config_last_reload_successful'), 0)
  assert.equal(seriesValue(families, 'interceptor_config_restart_needed'), 1)
})

test('metrics: before the pipeline has started, exports zero counts and the process', () => {
  const families = scrape(agentState({ observation: null, discovery: null, watches: [] }))
  assert.equal(seriesValue(families, 'interceptor_frames_seen_total'), 0)
  const absent = [
    'interceptor_interfaces',
    'interceptor_buffer_bytes',
    'interceptor_discovery_scans_total',
    'interceptor_watch_synced',
  ]
  assert.deepEqual(
    absent.filter((name) => families.has(name)),
    [],
  )
  assert.equal(
    seriesValue(families, 'interceptor_build_info', { version: VERSION, node: 'n1', node_version: process.version }),
    1,
  )
  assert.ok(Math.abs(seriesValue(families, 'process_start_time_seconds') - (Date.now() / 1000 - process.uptime())) < 5)
  assert.ok(
    seriesValue(families, 'process_resident_memory_bytes') > seriesValue(families, 'nodejs_heap_size_used_bytes'),
  )
})

test('metrics: every metric is named after its type and unit, and has a help text of its own', () => {
  const metrics: readonly Omit<Metric<never>, 'read'>[] = Object.values(METRIC_GROUPS).flat()
  for (const { name, type, help } of metrics) {
    assert.equal(name.endsWith('_total') && !name.endsWith('heap_size_total'), type === 'counter', name)
    assert.match(help, /^[A-Z].* .*[^.]$/, `${name} has no meaning in words`)
  }
  assert.equal(new Set(metrics.map(({ name }) => name)).size, metrics.length)
})

test('metrics: names each path of the ledger once', () => {
  assert.equal(JSON.stringify(sumLedger(LAYOUTS.map((layout) => block(layout)))).match(/:0/g)?.length, PATHS.length)
})

const tricky = fc.string({ unit: fc.constantFrom('\\', '"', '\n', 'n', '{', '}', ',', '=', ' ', 'é', '#') })

test('exposition: label values and help texts survive a round trip', () => {
  fc.assert(
    fc.property(
      tricky,
      tricky,
      fc.double().map((value) => value + 0),
      (label, help, value) => {
        const metric: Metric<null> = {
          name: 'm',
          type: 'gauge',
          help: `x${help}`,
          labels: ['a', 'b'],
          read: () => [{ labels: [label, 'z'], value }],
        }
        const family = parseExposition(exposition([metric], null)).get('m')!
        assert.equal(family.help, `x${help}`)
        assert.deepEqual([...family.samples.values()], [{ labels: { a: label, b: 'z' }, value }])
      },
    ),
  )
})

test('exposition: sums values with equal labels', () => {
  const read = () => [1, 2].map((value) => ({ labels: ['x'], value }))
  const text = exposition([{ name: 'm', type: 'gauge', help: 'of two', labels: ['a'], read }], null)
  assert.equal(text, '# HELP m of two\n# TYPE m gauge\nm{a="x"} 3\n')
})

test('tallyPods: counts by mesh and decision, with a bounded number of series', () => {
  const pod = (mesh: string | null, reason: string) => ({ mesh, captured: true, reason })
  assert.deepEqual(tallyPods([pod(null, 'x'), pod('istio', 'x'), pod(null, 'x')]), [
    { mesh: 'none', captured: true, reason: 'x', pods: 2 },
    { mesh: 'istio', captured: true, reason: 'x', pods: 1 },
  ])
  const many = tallyPods(Array.from({ length: 1000 }, (_, i) => pod(null, `reason ${i}`)))
  assert.ok(many.length <= 70, String(many.length))
  assert.equal(
    many.reduce((sum, { pods }) => sum + pods, 0),
    1000,
  )
})
