/**
 * The HTTP server of metrics and health. Main thread; it reads shared memory and this thread's own state, so no worker
 * can delay it.
 *
 * Anyone who reaches the address can connect, so everything is bounded: connections by peer and in total, the size and
 * duration of a request, one request per connection, and the CPU for pages, which are rendered at most once in PAGE_MS.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { errorText } from '../errors.ts'
import { sumLedger } from '../ledger/ledger.ts'
import type { Logger } from '../log/logger.ts'
import { ConnectionLimit } from './connection-limit.ts'
import { EXPOSITION_TYPE, exposition } from './exposition.ts'
import { type HealthCheck, healthText, liveness, passes, readiness } from './health.ts'
import { listenError, parseListenAddress } from './listen-address.ts'
import { MetricsPage } from './metrics.ts'
import { type Request, type Response, serveOne } from './one-request.ts'
import { POD_METRICS } from './pod-metrics.ts'
import type { PodsPage } from './pod-traffic.ts'
import type { AgentState } from './state.ts'

export interface AdminServer {
  /** Its URL, with the port that the system chose for port 0: `http://127.0.0.1:9464`. */
  readonly url: string
  /** Stops listening and closes every connection. */
  close(): Promise<void>
}

const CONNECTIONS = { total: 256, perPeer: 16, graceMs: 50 } as const
const LIMITS = { headBytes: 8 * 1024, headMs: 3_000, connectionMs: 10_000 } as const
/** A rendered page is served again for this long. */
const PAGE_MS = 100

/**
 * Serves /metrics, /livez, /readyz and /healthz, which is an alias of /livez; the counts of each pod as JSON (/pods) and as
 * metrics (/metrics/pods); the ledger (/ledger); and the path of the tap's socket (/tap).
 *
 * @param address  `admin.address`; empty: nothing is served
 * @param readState  returns the agent's current state; called at most once in PAGE_MS for each page
 * @returns null when nothing is served
 * @throws InterceptorError that names admin.address when it cannot listen there
 */
export async function serveAdmin(
  address: string,
  readState: () => AgentState,
  log: Logger,
): Promise<AdminServer | null> {
  const at = parseListenAddress(address)
  if (at === null) return null
  const pages = pagesOf(readState)
  const limit = new ConnectionLimit(CONNECTIONS)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    limit.admit(socket)
    serveOne(socket, LIMITS, (request) => respond(pages, request, log))
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

const TEXT = 'text/plain; charset=utf-8'

function pagesOf(readState: () => AgentState): ReadonlyMap<string, () => Page> {
  const metrics = new MetricsPage()
  const live = cached(() => healthPage('livez', liveness(readState())))
  return new Map([
    ['/metrics', cached(() => ({ status: 200, type: EXPOSITION_TYPE, text: metrics.text(readState()) }))],
    ['/metrics/pods', cached(() => podMetricsPage(readState()))],
    ['/pods', cached(() => podsPage(readState()))],
    ['/ledger', cached(() => ledgerPage(readState()))],
    ['/tap', cached(() => tapPage(readState()))],
    ['/livez', live],
    ['/healthz', live],
    ['/readyz', cached(() => healthPage('readyz', readiness(readState())))],
  ])
}

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
  return { status: 200, type: EXPOSITION_TYPE, text: exposition(POD_METRICS, { pods, podsLeftOut: leftOut }) }
}

/** Renders a page at most once in PAGE_MS, however often it is requested. */
function cached(render: () => Page): () => Page {
  let last: { readonly page: Page; readonly at: number } | null = null
  return () => {
    const now = performance.now()
    if (last === null || now - last.at >= PAGE_MS) last = { page: render(), at: now }
    return last.page
  }
}

const healthPage = (name: string, checks: readonly HealthCheck[]): Page => ({
  status: passes(checks) ? 200 : 503,
  type: TEXT,
  text: healthText(name, checks),
})

const METHODS = ['GET', 'HEAD']

function respond(pages: ReadonlyMap<string, () => Page>, request: Request, log: Logger): Response {
  const { status, type, text } = pageFor(pages, request, log)
  const allow: Record<string, string> = status === 405 ? { allow: METHODS.join(', ') } : {}
  return { status, headers: { 'content-type': type, 'cache-control': 'no-store', ...allow }, body: text }
}

function pageFor(pages: ReadonlyMap<string, () => Page>, { target, method }: Request, log: Logger): Page {
  const [path] = target.split('?', 1)
  const page = pages.get(path)
  if (page === undefined) {
    return { status: 404, type: TEXT, text: `not found; the pages are ${[...pages.keys()].join(', ')}\n` }
  }
  if (!METHODS.includes(method)) return { status: 405, type: TEXT, text: `only ${METHODS.join(' and ')}\n` }
  try {
    return page()
  } catch (error) {
    log.error('a page of the admin server failed', { path, error: errorText(error) })
    return { status: 500, type: TEXT, text: 'failed; the reason is in the log\n' }
  }
}

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
