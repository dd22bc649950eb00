/** States of an agent, with real counter blocks. */
import type { AgentState } from '../../src/admin/state.ts'
import {
  ASSEMBLE_COUNTERS,
  allocateCounters,
  CAPTURE_COUNTERS,
  type CounterLayout,
  SHIP_COUNTERS,
} from '../../src/ledger/counters.ts'
import type { CounterBlock } from '../../src/ledger/ledger.ts'
import type { InterfaceObservation, Observation } from '../../src/ledger/observation.ts'

/** A block of a layout with counts by path. */
export function block(
  layout: CounterLayout<Record<string, string>>,
  counts: Record<string, number> = {},
): CounterBlock {
  const values = allocateCounters(layout)
  for (const [path, count] of Object.entries(counts)) values[layout.paths.indexOf(path)] = count
  return { layout, values }
}

/** An interface eth0 of a pod, such as `shop/cart-0`. */
export function podInterface(netns: number, pod: string, counts: Record<string, number> = {}): InterfaceObservation {
  const [namespace = '', name = ''] = pod.split('/')
  const labels = pod === '' ? {} : { namespace, pod: name }
  return { key: `${netns}/eth0`, name: 'eth0', labels, block: block(CAPTURE_COUNTERS, counts), traffic: [], up: true }
}

/** A healthy pipeline without interfaces. */
export const observation = (parts: Partial<Observation> = {}): Observation => ({
  blocks: [block(CAPTURE_COUNTERS), block(ASSEMBLE_COUNTERS), block(SHIP_COUNTERS)],
  interfaces: [],
  rings: [{ kind: 'frames', from: 'capture-0', to: 'assemble-0', usedBytes: 1024, capacityBytes: 4096 }],
  threads: [
    { role: 'main', slot: 0, cpuSeconds: 1.5, silentMs: 0, restarts: 0, state: 'ready', crashLooping: false },
    { role: 'assemble', slot: 0, cpuSeconds: null, silentMs: 500, restarts: 2, state: 'ready', crashLooping: false },
  ],
  buffer: { bytes: 100, limitBytes: 1000, oldestMs: 2500 },
  outputReachable: true,
  shedding: { cpu: 1, overload: 0.5 },
  tap: { open: true, readers: 1, notShown: 12 },
  ...parts,
})

/** A healthy agent. */
export const agentState = (parts: Partial<AgentState> = {}): AgentState => ({
  node: 'n1',
  uptimeMs: 5_000,
  observation: observation(),
  start: { opening: 0, done: true },
  nothingCaptured: null,
  discovery: {
    scans: 3,
    failures: 1,
    scanSeconds: 0.5,
    scanCpuSeconds: 0.25,
    lastScanSeconds: 0.02,
    lastScanAgeMs: 700,
    processes: 300,
    processesDenied: 0,
    pods: [{ mesh: 'istio', captured: true, reason: 'sidecar', pods: 4 }],
  },
  readPods: () => ({ pods: [], leftOut: 0 }),
  watches: [{ resource: 'pods', synced: true, connected: true, restarts: 1, lastEventMs: 1500, objects: 12 }],
  tapSocket: '/run/interceptor/tap.sock',
  reload: { applied: 0, unchanged: 0, refused: 0, lastSuccessful: true, needRestart: [] },
  draining: false,
  ...parts,
})
