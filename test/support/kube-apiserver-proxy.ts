/**
 * A proxy in front of the tests' API server that counts requests, and closes or freezes watches like faulty networks.
 */
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request as httpsRequest, type Server } from 'node:https'
import type { KubeApiserver } from '../../rig/kube-apiserver.ts'

/** A request that passed through the proxy. */
export interface ProxiedRequest {
  /** Time of arrival, `performance.now()`. */
  at: number
  path: string
  query: URLSearchParams
}

/** A response of the proxy in place of the server's. */
export interface Reply {
  status: number
  headers?: Record<string, string>
  body?: string
}

export class KubeApiserverProxy {
  readonly requests: ProxiedRequest[] = []
  /** Called for each request; null: the API server answers; `none`: the connection is closed without a response. */
  reply: (request: ProxiedRequest) => Reply | 'none' | null = () => null
  readonly #cluster: KubeApiserver
  readonly #server: Server
  readonly #agent: Agent
  readonly #watches = new Map<ServerResponse, IncomingMessage>()
  #port = 0

  private constructor(cluster: KubeApiserver) {
    this.#cluster = cluster
    const ca = readFileSync(cluster.caFile)
    this.#agent = new Agent({ ca })
    const tls = { cert: readFileSync(cluster.certFile), key: readFileSync(cluster.keyFile) }
    this.#server = createServer(tls, (incoming, response) => this.#relay(incoming, response))
  }

  static async start(cluster: KubeApiserver): Promise<KubeApiserverProxy> {
    const proxy = new KubeApiserverProxy(cluster)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    proxy.#port = (proxy.#server.address() as { port: number }).port
    return proxy
  }

  get port(): number {
    return this.#port
  }

  get url(): string {
    return `https://127.0.0.1:${this.#port}`
  }

  /** Number of open watches. */
  get watches(): number {
    return this.#watches.size
  }

  /** All requests that were watches. */
  get watchRequests(): ProxiedRequest[] {
    return this.requests.filter(({ query }) => query.get('watch') === 'true')
  }

  /**
   * Interrupts every open watch: by an orderly close, by a reset, or by `freeze`: the connection stays open without
   * further data, as after a crash of the peer's machine.
   */
  cutWatches(how: 'end' | 'reset' | 'freeze'): void {
    for (const [response, upstream] of this.#watches) {
      upstream.unpipe(response)
      upstream.destroy()
      if (how === 'end') response.end()
      if (how === 'reset') response.socket?.destroy()
    }
    this.#watches.clear()
  }

  async stop(): Promise<void> {
    this.cutWatches('reset')
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
    this.#agent.destroy()
  }

  #relay(incoming: IncomingMessage, response: ServerResponse): void {
    const url = new URL(incoming.url ?? '/', this.url)
    const proxied = { at: performance.now(), path: url.pathname, query: url.searchParams }
    this.requests.push(proxied)
    const reply = this.reply(proxied)
    if (reply === 'none') {
      response.destroy()
      return
    }
    if (reply !== null) {
      response.writeHead(reply.status, reply.headers).end(reply.body)
      return
    }
    const { method = 'GET', headers } = incoming
    const upstream = httpsRequest(`${this.#cluster.url}${incoming.url}`, { method, headers, agent: this.#agent })
    upstream.on('error', () => response.destroy())
    upstream.on('response', (answered) => this.#pass(answered, response, url.searchParams.get('watch') === 'true'))
    incoming.pipe(upstream)
  }

  #pass(answered: IncomingMessage, response: ServerResponse, isWatch: boolean): void {
    response.writeHead(answered.statusCode ?? 502, answered.headers)
    response.flushHeaders()
    answered.pipe(response)
    answered.on('error', () => response.destroy())
    if (!isWatch) return
    this.#watches.set(response, answered)
    response.on('close', () => {
      this.#watches.delete(response)
      answered.destroy()
    })
  }
}
