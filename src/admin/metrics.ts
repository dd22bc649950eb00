/** The page /metrics. Main thread. */
import { sumLedger } from '../ledger/ledger.ts'
import type { Observation, ThreadObservation } from '../ledger/observation.ts'
import { exposition, type Metric } from './exposition.ts'
import { INTERFACE_METRICS, INTERFACE_UP, LEDGER_METRICS, type LedgerState } from './ledger-metrics.ts'
import { CONFIG_METRICS, DISCOVERY_METRICS, type NodeState, WATCH_METRICS } from './node-metrics.ts'
import { PROCESS_METRICS, type ProcessState } from './process-metrics.ts'
import { STAGE_METRICS, type StageState } from './stage-metrics.ts'
import type { AgentState } from './state.ts'

/** The agent at one scrape. */
export type ScrapeState = LedgerState & StageState & NodeState & ProcessState

/** Every metric there is, in groups as docs/metrics.md has them. */
export const METRIC_GROUPS = {
  ledger: LEDGER_METRICS,
  interfaces: [...INTERFACE_METRICS, INTERFACE_UP],
  stages: STAGE_METRICS,
  discovery: DISCOVERY_METRICS,
  watches: WATCH_METRICS,
  configuration: CONFIG_METRICS,
  process: PROCESS_METRICS,
} as const satisfies Record<string, readonly Metric<ScrapeState>[]>

const METRICS: readonly Metric<ScrapeState>[] = Object.values(METRIC_GROUPS).flat()

/** Writes scrapes, one after the other. It remembers only what keeps CPU time from going back. */
export class MetricsPage {
  readonly #spent = new Map<string, { last: number; before: number }>()

  /** The page's text. */
  text(state: AgentState): string {
    const { observation } = state
    const blocks = observation?.blocks ?? []
    const interfaces = observation?.interfaces ?? []
    return exposition(METRICS, {
      ...state,
      observation: observation && { ...observation, threads: this.#steady(observation) },
      interfaces,
      ledger: sumLedger([...blocks, ...interfaces.map(({ block }) => block)]),
      memory: process.memoryUsage(),
    })
  }

  /** A thread that was started again has used no CPU time yet: what the one before it had used is added. */
  #steady({ threads }: Observation): ThreadObservation[] {
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
