/** The pages of the admin server. Each is rendered at most once in PAGE_MS or HEALTH_MS, however often it is requested. Main thread. */
import { sumLedger } from '../ledger/ledger.ts'
import { EXPOSITION_TYPE, exposition } from './exposition.ts'
import { type HealthCheck, healthText, liveness, passes, readiness } from './health.ts'
import { MetricsPage } from './metrics.ts'
import { POD_METRICS } from './pod-metrics.ts'
import type { PodsPage } from './pod-traffic.ts'
import type { AgentState } from './state.ts'

/** A page in the form that is sent, for all the requests that it serves. */
export interface RenderedPage {
  readonly status: number
  /** Its media type. */
  readonly type: string
  readonly body: Buffer
}

interface Page extends Omit<RenderedPage, 'body'> {
  readonly text: string
}

/** A rendered page is served again for this long; one for probes, which is short, for less. */
const PAGE_MS = 250
const HEALTH_MS = 100
const TEXT = 'text/plain; charset=utf-8'

/** The pages for probes. */
export const PROBES: readonly string[] = ['/livez', '/healthz', '/readyz']

/**
 * The pages by path; each renders itself where it is due.
 *
 * @param readState returns the agent's current state; called at most once in PAGE_MS or HEALTH_MS for each page
 * @param refused how many pages were not sent, for the metrics
 */
export function adminPages(
  readState: () => AgentState,
  refused: () => number,
): ReadonlyMap<string, () => RenderedPage> {
  const metrics = new MetricsPage()
  const live = cached(HEALTH_MS, () => healthPage('livez', liveness(readState())))
  return new Map([
    ['/metrics', cached(PAGE_MS, () => metricsPage(metrics.text(readState(), refused())))],
    ['/metrics/pods', cached(PAGE_MS, () => podMetricsPage(readState()))],
    ['/pods', cached(PAGE_MS, () => podsPage(readState()))],
    ['/ledger', cached(PAGE_MS, () => ledgerPage(readState()))],
    ['/tap', cached(PAGE_MS, () => tapPage(readState()))],
    ['/livez', live],
    ['/healthz', live],
    ['/readyz', cached(HEALTH_MS, () => healthPage('readyz', readiness(readState())))],
  ])
}

/** A page of one line. */
export const message = (status: number, text: string): RenderedPage =>
  rendered({ status, type: TEXT, text: `${text}\n` })

function cached(ms: number, render: () => Page): () => RenderedPage {
  let last: { readonly page: RenderedPage; readonly at: number } | null = null
  return () => {
    const now = performance.now()
    if (last === null || now - last.at >= ms) last = { page: rendered(render()), at: now }
    return last.page
  }
}

const rendered = ({ status, type, text }: Page): RenderedPage => ({ status, type, body: Buffer.from(text) })

const metricsPage = (text: string): Page => ({ status: 200, type: EXPOSITION_TYPE, text })

const jsonPage = (value: unknown): Page => ({
  status: 200,
  type: 'application/json',
  text: `${JSON.stringify(value)}\n`,
})

const healthPage = (name: string, checks: readonly HealthCheck[]): Page => ({
  status: passes(checks) ? 200 : 503,
  type: TEXT,
  text: healthText(name, checks),
})

function podsPage({ node, uptimeMs, readPods }: AgentState): Page {
  const page: PodsPage = { node, uptimeMs, ...readPods() }
  return jsonPage(page)
}

function podMetricsPage({ readPods }: AgentState): Page {
  const { pods, leftOut } = readPods()
  return metricsPage(exposition(POD_METRICS, { pods, podsLeftOut: leftOut }))
}

/** The counts of the run so far. */
function ledgerPage({ observation }: AgentState): Page {
  const { blocks = [], interfaces = [] } = observation ?? {}
  return jsonPage(sumLedger([...blocks, ...interfaces.map(({ block }) => block)]))
}

/** The path of the tap's socket. Pairs are not served here, because every process on the host's network could read them. */
const tapPage = ({ tapSocket }: AgentState): Page => jsonPage({ socket: tapSocket })
