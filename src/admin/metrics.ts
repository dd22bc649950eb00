/** The page /metrics. Main thread. */
import { sumLedger } from '../ledger/ledger.ts'
import type { Observation, ThreadObservation } from '../ledger/observation.ts'
import { exposition, type Metric } from './exposition.ts'
import { INTERFACE_METRICS, INTERFACE_UP, LEDGER_METRICS, type LedgerState } from './ledger-metrics.ts'
import { CONFIG_METRICS, DISCOVERY_METRICS, type NodeState, WATCH_METRICS } from './node-metrics.ts'
import { POD_METRICS, type PodsState } from './pod-metrics.ts'
import { PROCESS_METRICS, type ProcessState } from './process-metrics.ts'
import { STAGE_METRICS, type StageState } from './stage-metrics.ts'
import type { AgentState } from './state.ts'

/** The agent's state at one scrape. */
export type ScrapeState = LedgerState & StageState & NodeState & ProcessState & PodsState

/** Every metric, in the groups of docs/metrics.md. */
export const METRIC_GROUPS = {
  ledger: LEDGER_METRICS,
  interfaces: [...INTERFACE_METRICS, INTERFACE_UP],
  stages: STAGE_METRICS,
  discovery: DISCOVERY_METRICS,
  watches: WATCH_METRICS,
  configuration: CONFIG_METRICS,
  process: PROCESS_METRICS,
  pods: POD_METRICS,
} as const satisfies Record<string, readonly Metric<ScrapeState>[]>

const METRICS: readonly Metric<ScrapeState>[] = Object.values(METRIC_GROUPS).flat()
const NO_PODS: PodsState = { pods: [], podsLeftOut: 0 }

/** Renders scrapes. It keeps only what is needed so that CPU times never decrease. */
export class MetricsPage {
  readonly #spent = new Map<string, { last: number; before: number }>()

  /** Renders the page. @param pagesRefused by the admin server */
  text(state: AgentState, pagesRefused: number): string {
    const { observation } = state
    const blocks = observation?.blocks ?? []
    const interfaces = observation?.interfaces ?? []
    return exposition(METRICS, {
      ...state,
      ...NO_PODS,
      observation: observation && { ...observation, threads: this.#withEarlierCpu(observation) },
      interfaces,
      ledger: sumLedger([...blocks, ...interfaces.map(({ block }) => block)]),
      memory: process.memoryUsage(),
      pagesRefused,
    })
  }

  /** Adds the CPU time of the threads that a restarted thread replaced, so that its counter does not restart at 0. */
  #withEarlierCpu({ threads }: Observation): ThreadObservation[] {
    return threads.map((thread) => {
      if (thread.cpuSeconds === null) return thread
      const key = `${thread.role} ${thread.slot}`
      const spent = this.#spent.get(key) ?? { last: 0, before: 0 }
      if (thread.cpuSeconds < spent.last) spent.before += spent.last
      spent.last = thread.cpuSeconds
      this.#spent.set(key, spent)
      return { ...thread, cpuSeconds: spent.before + thread.cpuSeconds }
    })
  }
}
