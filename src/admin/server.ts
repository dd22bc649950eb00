/**
 * The HTTP server of metrics and health. Main thread; it answers from what is at hand there, so no worker can hold it up.
 *
 * It is open to whoever reaches the address, so everything is bounded: headers, time, connections. Each connection is for
 * one request, and is gone after CONNECTION_MS whatever its other end does.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { errorText } from '../errors.ts'
import type { Logger } from '../log/logger.ts'
import { EXPOSITION_TYPE } from './exposition.ts'
import { type Check, healthText, liveness, passes, readiness } from './health.ts'
import { listenError, parseListenAddress } from './listen-address.ts'
import { MetricsPage } from './metrics.ts'
import type { AgentState } from './state.ts'

export interface AdminServer {
  /** Where it listens, with the port the system chose for port 0: `http://127.0.0.1:9464`. */
  readonly url: string
  /** Closes it, with every connection. */
  close(): Promise<void>
}

const LIMITS = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
} as const

/** From opening to the last byte of the answer. */
const CONNECTION_MS = 15_000
const MAX_CONNECTIONS = 64

/**
 * Serves /metrics, /livez, /readyz and /healthz, which is another name of /livez.
 *
 * @param address  `admin.address`; empty: nothing is served
 * @param look     the agent's state now; called once for each request
 * @returns null where nothing is to be served
 * @throws InterceptorError that names admin.address when it cannot listen there
 */
export async function serveAdmin(address: string, look: () => AgentState, log: Logger): Promise<AdminServer | null> {
  const at = parseListenAddress(address)
  if (at === null) return null
  const pages = pagesOf(look)
  const server = createServer(LIMITS, (request, response) => answer(pages, request, response, log))
  server.maxConnections = MAX_CONNECTIONS
  server.on('connection', limitConnection)
  await listen(server, at).catch((error: NodeJS.ErrnoException) => {
    throw listenError(address, error)
  })
  server.on('error', (error) => log.warn('admin server', { error: errorText(error) }))
  return { url: urlOf(server.address() as AddressInfo), close: () => close(server) }
}

interface Page {
  readonly status: number
  readonly type: string
  readonly text: string
}

const TEXT = 'text/plain; charset=utf-8'

function pagesOf(look: () => AgentState): ReadonlyMap<string, () => Page> {
  const metrics = new MetricsPage()
  const live = (): Page => healthPage('livez', liveness(look()))
  return new Map([
    ['/metrics', () => ({ status: 200, type: EXPOSITION_TYPE, text: metrics.text(look()) })],
    ['/livez', live],
    ['/healthz', live],
    ['/readyz', () => healthPage('readyz', readiness(look()))],
  ])
}

const healthPage = (name: string, checks: readonly Check[]): Page => ({
  status: passes(checks) ? 200 : 503,
  type: TEXT,
  text: healthText(name, checks),
})

const METHODS = ['GET', 'HEAD']

function answer(
  pages: ReadonlyMap<string, () => Page>,
  request: IncomingMessage,
  response: ServerResponse,
  log: Logger,
): void {
  const { status, type, text } = choose(pages, request, log)
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: 'close',
    ...(status === 405 ? { allow: METHODS.join(', ') } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : text)
}

function choose(pages: ReadonlyMap<string, () => Page>, { url = '', method = '' }: IncomingMessage, log: Logger): Page {
  const path = url.split('?', 1)[0]
  const page = pages.get(path)
  if (page === undefined)
    return { status: 404, type: TEXT, text: `not found; there is ${[...pages.keys()].join(', ')}\n` }
  if (!METHODS.includes(method)) return { status: 405, type: TEXT, text: `only ${METHODS.join(' and ')}\n` }
  try {
    return page()
  } catch (error) {
    log.error('a page of the admin server failed', { path, error: errorText(error) })
    return { status: 500, type: TEXT, text: 'failed; the log says why\n' }
  }
}

function limitConnection(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), CONNECTION_MS)
  socket.once('close', () => clearTimeout(timer))
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

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

const urlOf = ({ address, family, port }: AddressInfo): string =>
  `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
