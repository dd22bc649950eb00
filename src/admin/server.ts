/**
 * The HTTP server of metrics and health. Main thread; it reads shared memory and this thread's own state, so no worker
 * can delay it.
 *
 * Anyone who reaches the address can connect, so everything is bounded: connections by peer and in total, the size and
 * duration of a request, one request per connection, and the CPU for pages. Each is rendered at most once in PAGE_MS or
 * HEALTH_MS, and those that are not for probes are sent at most at PAGES: a probe is answered whatever others ask for.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { errorText } from '../errors.ts'
import { sumLedger } from '../ledger/ledger.ts'
import type { Logger } from '../log/logger.ts'
import { ConnectionLimit, isLocal } from './connection-limit.ts'
import { EXPOSITION_TYPE, exposition } from './exposition.ts'
import { type HealthCheck, healthText, liveness, passes, readiness } from './health.ts'
import { listenError, parseListenAddress } from './listen-address.ts'
import { MetricsPage } from './metrics.ts'
import { type Request, type Response, serveOne } from './one-request.ts'
import { PageRate, type PageRates } from './page-rate.ts'
import { POD_METRICS } from './pod-metrics.ts'
import type { PodsPage } from './pod-traffic.ts'
import type { AgentState } from './state.ts'

export interface AdminServer {
  /** Its URL, with the port that the system chose for port 0: `http://127.0.0.1:9464`. */
  readonly url: string
  /** Stops listening and closes every connection. */
  close(): Promise<void>
}

const CONNECTIONS = { total: 256, most: 1024, perPeer: 16, graceMs: 50 } as const
/**
 * The connection is what costs: a page from memory takes as much CPU as a refusal (measured). These are several times what
 * scrapers behind one address ask for, and at most some 10 % of a CPU.
 */
const PAGES: PageRates = { perPeer: 200, total: 500 }
const LIMITS = { headBytes: 8 * 1024, headMs: 3_000, connectionMs: 10_000 } as const
/** A rendered page is served again for this long; one for probes, which is short, for less. */
const PAGE_MS = 250
const HEALTH_MS = 100
const HEALTH = ['/livez', '/healthz', '/readyz']

/**
 * Serves /metrics, /livez, /readyz and /healthz, which is an alias of /livez; the counts of each pod as JSON (/pods) and as
 * metrics (/metrics/pods); the ledger (/ledger); and the path of the tap's socket (/tap).
 *
 * @param address  `admin.address`; empty: nothing is served
 * @param readState  returns the agent's current state; called at most once in PAGE_MS or HEALTH_MS for each page
 * @param rates  most pages per second that are not for probes
 * @returns null when nothing is served
 * @throws InterceptorError that names admin.address when it cannot listen there
 */
export async function serveAdmin(
  address: string,
  readState: () => AgentState,
  log: Logger,
  rates = PAGES,
): Promise<AdminServer | null> {
  const at = parseListenAddress(address)
  if (at === null) return null
  const rate = new PageRate(rates)
  const pages = pagesOf(readState, rate)
  const limit = new ConnectionLimit(CONNECTIONS)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    limit.admit(socket)
    const { remoteAddress = '' } = socket
    const local = isLocal(socket)
    const server: PageServer = { pages, log, rates, admits: () => rate.admit(remoteAddress, local) }
    serveOne(socket, LIMITS, (request) => respond(server, request))
  })
  await listen(server, at).catch((error: NodeJS.ErrnoException) => {
    throw listenError(address, error)
  })
  server.on('error', (error) => log.warn('the admin server failed', { error: errorText(error) }))
  return { url: urlOf(server.address() as AddressInfo), close: () => close(server, open) }
}

interface Page {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** A page in the form that is sent, for all the requests that it serves. */
interface RenderedPage extends Pick<Page, 'status' | 'type'> {
  readonly body: Buffer
}

/** What the requests of a peer need. */
interface PageServer {
  readonly pages: ReadonlyMap<string, () => RenderedPage>
  readonly log: Logger
  readonly rates: PageRates
  /** Whether the peer may have a page that is not for probes. */
  admits(): boolean
}

const TEXT = 'text/plain; charset=utf-8'

function pagesOf(readState: () => AgentState, rate: PageRate): ReadonlyMap<string, () => RenderedPage> {
  const metrics = new MetricsPage()
  const live = cached(HEALTH_MS, () => healthPage('livez', liveness(readState())))
  return new Map([
    ['/metrics', cached(PAGE_MS, () => metricsPage(metrics.text(readState(), rate.refused)))],
    ['/metrics/pods', cached(PAGE_MS, () => podMetricsPage(readState()))],
    ['/pods', cached(PAGE_MS, () => podsPage(readState()))],
    ['/ledger', cached(PAGE_MS, () => ledgerPage(readState()))],
    ['/tap', cached(PAGE_MS, () => tapPage(readState()))],
    ['/livez', live],
    ['/healthz', live],
    ['/readyz', cached(HEALTH_MS, () => healthPage('readyz', readiness(readState())))],
  ])
}

const metricsPage = (text: string): Page => ({ status: 200, type: EXPOSITION_TYPE, text })

function podsPage(state: AgentState): Page {
  const { node, uptimeMs } = state
  const page: PodsPage = { node, uptimeMs, ...state.readPods() }
  return { status: 200, type: 'application/json', text: `${JSON.stringify(page)}\n` }
}

/** The counts of the run so far. */
function ledgerPage({ observation }: AgentState): Page {
  const { blocks = [], interfaces = [] } = observation ?? {}
  const ledger = sumLedger([...blocks, ...interfaces.map(({ block }) => block)])
  return { status: 200, type: 'application/json', text: `${JSON.stringify(ledger)}\n` }
}

/** The path of the tap's socket. Pairs are not served here, because every process on the host's network could read them. */
function tapPage({ tapSocket }: AgentState): Page {
  return { status: 200, type: 'application/json', text: `${JSON.stringify({ socket: tapSocket })}\n` }
}

function podMetricsPage(state: AgentState): Page {
  const { pods, leftOut } = state.readPods()
  return metricsPage(exposition(POD_METRICS, { pods, podsLeftOut: leftOut }))
}

/** Renders a page at most once in this time, however often it is requested. */
function cached(ms: number, render: () => Page): () => RenderedPage {
  let last: { readonly page: RenderedPage; readonly at: number } | null = null
  return () => {
    const now = performance.now()
    if (last === null || now - last.at >= ms) last = { page: rendered(render()), at: now }
    return last.page
  }
}

const rendered = ({ status, type, text }: Page): RenderedPage => ({ status, type, body: Buffer.from(text) })

const healthPage = (name: string, checks: readonly HealthCheck[]): Page => ({
  status: passes(checks) ? 200 : 503,
  type: TEXT,
  text: healthText(name, checks),
})

const METHODS = ['GET', 'HEAD']

/** Further fields of a response, by its status. */
const FIELDS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  405: { allow: METHODS.join(', ') },
  429: { 'retry-after': '1' },
}

function respond(server: PageServer, request: Request): Response {
  const { status, type, body } = pageFor(server, request)
  return { status, headers: { 'content-type': type, 'cache-control': 'no-store', ...FIELDS[status] }, body }
}

function pageFor({ pages, log, rates, admits }: PageServer, { target, method }: Request): RenderedPage {
  const [path] = target.split('?', 1)
  const page = pages.get(path)
  if (page === undefined) return message(404, `not found; the pages are ${[...pages.keys()].join(', ')}`)
  if (!METHODS.includes(method)) return message(405, `only ${METHODS.join(' and ')}`)
  if (!HEALTH.includes(path) && !admits()) return message(429, tooMany(rates))
  try {
    return page()
  } catch (error) {
    log.error('a page of the admin server failed', { path, error: errorText(error) })
    return message(500, 'failed; the reason is in the log')
  }
}

const message = (status: number, text: string): RenderedPage => rendered({ status, type: TEXT, text: `${text}\n` })

const tooMany = ({ perPeer, total }: PageRates): string =>
  `at most ${perPeer} pages per second, and ${total} for all peers`

function listen(server: Server, { host, port }: { host: string | undefined; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function close(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    for (const socket of open) socket.destroy()
  })
}

const urlOf = ({ address, family, port }: AddressInfo): string =>
  `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
