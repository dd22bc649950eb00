/**
 * Serves the API server's lists and watches over HTTP, with objects in memory, for model-based tests, which visit
 * hundreds of states in the time in which a real API server, used by the other tests, stores a few objects.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { ApiClient } from '../../../src/discovery/kubernetes/api-client.ts'
import type { WatchTiming } from '../../../src/discovery/kubernetes/collection.ts'

/** The product's timing with the shortest pauses. */
export const SHORT: WatchTiming = { watchMs: 60_000, idleMs: 60_000, healthyMs: 0, minPauseMs: 1, maxPauseMs: 4 }

export interface ApiObject {
  metadata: { uid: string; [key: string]: unknown }
  [key: string]: unknown
}

/** One change of an object; null: it did not exist, or was deleted. */
interface Change {
  readonly revision: number
  readonly path: string
  readonly before: ApiObject | null
  readonly now: ApiObject | null
}

interface Watch {
  readonly path: string
  readonly selector: string
  readonly response: ServerResponse
}

export class ObjectServer {
  readonly client: ApiClient
  readonly #server: Server
  readonly #objects = new Map<string, Map<string, ApiObject>>()
  readonly #history: Change[] = []
  readonly #watches = new Set<Watch>()
  /** Pages of lists that are not complete, by their `continue`. */
  readonly #pages = new Map<string, { items: ApiObject[]; revision: number }>()
  readonly #refusals = new Map<string, number>()
  #revision = 1

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (request, response) => this.#respond(request, response))
    const { port } = server.address() as AddressInfo
    this.client = new ApiClient({
      server: new URL(`http://127.0.0.1:${port}`),
      credentials: () => Promise.resolve({}),
      forgetCredentials: () => {},
    })
  }

  static async start(t: TestContext): Promise<ObjectServer> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(() => {
      server.closeAllConnections()
      server.close()
    })
    return new ObjectServer(server)
  }

  objects(path: string): ApiObject[] {
    return [...(this.#objects.get(path)?.values() ?? [])]
  }

  /** Creates or replaces an object; null deletes it. */
  set(path: string, uid: string, now: ApiObject | null): void {
    const objects = this.#objects.get(path) ?? new Map<string, ApiObject>()
    this.#objects.set(path, objects)
    const before = objects.get(uid) ?? null
    if (before === null && now === null) return
    this.#revision += 1
    if (now === null) objects.delete(uid)
    else objects.set(uid, now)
    const change = { revision: this.#revision, path, before, now }
    this.#history.push(change)
    for (const watch of this.#watches) send(watch, change)
  }

  /** Deletes all objects. */
  clear(): void {
    for (const [path, objects] of this.#objects) for (const uid of [...objects.keys()]) this.set(path, uid, null)
  }

  /** Rejects lists of a path with this status; 0: accepts them again. */
  refuse(path: string, status: number): void {
    this.#refusals.set(path, status)
  }

  /** Breaks all connections. */
  cut(): void {
    this.#server.closeAllConnections()
  }

  /** Drops the history: watches from earlier revisions are rejected, as after a compaction of etcd. */
  compact(): void {
    this.#history.length = 0
    this.#revision += 1
    this.cut()
  }

  #respond(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '', 'http://server')
    const path = url.pathname
    const query = url.searchParams
    const status = this.#refusals.get(path) ?? 0
    if (status !== 0) reply(response, status, { code: status, message: `status ${status}` })
    else if (query.get('watch') === 'true') this.#watch(path, query, response)
    else reply(response, 200, this.#list(path, query))
  }

  #list(path: string, query: URLSearchParams): object {
    const selector = query.get('fieldSelector') ?? ''
    const token = query.get('continue') ?? ''
    const { items, revision } = this.#pages.get(token) ?? {
      items: this.objects(path).filter((object) => selects(selector, object)),
      revision: this.#revision,
    }
    this.#pages.delete(token)
    const limit = Number(query.get('limit') ?? items.length)
    const rest = items.slice(limit)
    const next = rest.length === 0 ? '' : `${path} ${revision} ${rest.length}`
    if (next !== '') this.#pages.set(next, { items: rest, revision })
    return { metadata: { resourceVersion: String(revision), continue: next }, items: items.slice(0, limit) }
  }

  #watch(path: string, query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('resourceVersion'))
    const missed = this.#history.filter(({ revision }) => revision > from)
    response.writeHead(200, { 'content-type': 'application/json' })
    if (missed.length !== this.#revision - from) {
      response.end(
        `${JSON.stringify({ type: 'ERROR', object: { code: 410, reason: 'Expired', message: 'too old' } })}\n`,
      )
      return
    }
    response.flushHeaders()
    const watch = { path, selector: query.get('fieldSelector') ?? '', response }
    for (const change of missed) send(watch, change)
    this.#watches.add(watch)
    response.on('close', () => this.#watches.delete(watch))
  }
}

/** An object that enters or leaves the selection is added or deleted for the watch. */
function send({ path, selector, response }: Watch, change: Change): void {
  if (change.path !== path) return
  const [before, now] = [change.before, change.now].map((object) =>
    object !== null && selects(selector, object) ? object : null,
  )
  const object = now ?? before
  if (object === null) return
  const type = before === null ? 'ADDED' : now === null ? 'DELETED' : 'MODIFIED'
  const metadata = { ...object.metadata, resourceVersion: String(change.revision) }
  response.write(`${JSON.stringify({ type, object: { ...object, metadata } })}\n`)
}

/** Evaluates `a.b=x,c.d!=y`. */
function selects(selector: string, object: ApiObject): boolean {
  return selector.split(',').every((term) => {
    if (term === '') return true
    const [, field = '', not, wanted] = /^([\w.]+)(!?)=(.*)$/.exec(term) ?? []
    const value = field
      .split('.')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object)
    return ((value ?? '') === wanted) !== (not === '!')
  })
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
