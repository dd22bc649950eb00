/**
 * The HTTP server of metrics and health. Main thread; it reads shared memory and this thread's own state, so no worker
 * can delay it.
 *
 * Anyone who reaches the address can connect, so everything is bounded: connections by peer and in total, the size and
 * duration of a request, one request per connection, and the CPU for pages. Each is rendered a few times a second (pages.ts), and
 * those that are not for probes are sent at most at PAGES: a probe is answered whatever others ask for.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { ADMIN_ADDRESS } from '../config/admin-address.ts'
import { errorText } from '../errors.ts'
import type { Logger } from '../log/logger.ts'
import { listenOn, parseListenAddress } from '../net/listen-address.ts'
import { ConnectionLimit, isLocal } from './connection-limit.ts'
import { type Request, type Response, serveOne } from './one-request.ts'
import { PageRate, type PageRates } from './page-rate.ts'
import { adminPages, message, PROBES, type RenderedPage } from './pages.ts'
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

/**
 * Serves /metrics, /livez, /readyz and /healthz, which is an alias of /livez; the counts of each pod as JSON (/pods) and as
 * metrics (/metrics/pods); the ledger (/ledger); and the path of the tap's socket (/tap).
 *
 * @param address  `admin.address`; empty: nothing is served
 * @param readState  returns the agent's current state
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
  const at = parseListenAddress(address, ADMIN_ADDRESS)
  if (at === null) return null
  const rate = new PageRate(rates)
  const pages = adminPages(readState, () => rate.refused)
  const limit = new ConnectionLimit(CONNECTIONS)
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    limit.admit(socket)
    const { remoteAddress = '' } = socket
    const local = isLocal(socket)
    const context: RequestContext = { pages, log, rates, admits: () => rate.admit(remoteAddress, local) }
    serveOne(socket, LIMITS, (request) => respond(context, request))
  })
  const url = await listenOn(server, at, ADMIN_ADDRESS)
  server.on('error', (error) => log.warn('the admin server failed', { error: errorText(error) }))
  return { url, close: () => close(server, open) }
}

/** What the requests of a peer need. */
interface RequestContext {
  readonly pages: ReadonlyMap<string, () => RenderedPage>
  readonly log: Logger
  readonly rates: PageRates
  /** Whether the peer may have a page that is not for probes. */
  admits(): boolean
}

const METHODS = ['GET', 'HEAD']

/** Further fields of a response, by its status. */
const FIELDS: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  405: { allow: METHODS.join(', ') },
  429: { 'retry-after': '1' },
}

function respond(context: RequestContext, request: Request): Response {
  const { status, type, body } = pageFor(context, request)
  return { status, headers: { 'content-type': type, 'cache-control': 'no-store', ...FIELDS[status] }, body }
}

function pageFor({ pages, log, rates, admits }: RequestContext, { target, method }: Request): RenderedPage {
  const [path] = target.split('?', 1)
  const page = pages.get(path)
  if (page === undefined) return message(404, `not found; the pages are ${[...pages.keys()].join(', ')}`)
  if (!METHODS.includes(method)) return message(405, `only ${METHODS.join(' and ')}`)
  if (!PROBES.includes(path) && !admits()) return message(429, tooMany(rates))
  try {
    return page()
  } catch (error) {
    log.error('a page of the admin server failed', { path, error: errorText(error) })
    return message(500, 'failed; the reason is in the log')
  }
}

const tooMany = ({ perPeer, total }: PageRates): string =>
  `at most ${perPeer} pages per second, and ${total} for all peers`

function close(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    for (const socket of open) socket.destroy()
  })
}
