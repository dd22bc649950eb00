/**
 * An OpenAPI 3.1 document of captured pairs: servers, routes with templated parameters, methods, statuses, and the
 * schemas of bodies. The same pairs give the same document, in any order.
 */
import { headerValue, type Message, mediaType, type Pair } from '../pair/pair.ts'
import { type PartKind, routeTemplate } from '../routes/template.ts'
import { requestPath } from '../select/request-path.ts'
import { MergedSchema, REFERENCE } from './schema-merge.ts'

/** Bounds of a document. Content beyond them is left out, which the description reports. */
const MOST_PATHS = 2000
const MOST_SERVERS = 50
const MOST_QUERY_NAMES = 50
const MOST_TYPES = 10
/** Longer bodies are no examples. Characters. */
const MOST_EXAMPLE = 4096

/** The methods that a path item may have. */
const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

export interface DocumentOptions {
  /** Version of this program. */
  version: string
  /** Include one body of each kind as an example: it may hold personal data. */
  examples: boolean
}

/** Bodies of one media type. */
class Content {
  readonly #schema = new MergedSchema()
  #example: unknown
  #texts = 0

  add(message: Message, type: string, examples: boolean): void {
    const text = Buffer.from(message.body.buffer, message.body.byteOffset, message.body.byteLength).toString()
    const value = bodyValue(text, type)
    if (value === undefined) this.#texts++
    else this.#schema.add(value)
    if (!examples || value === undefined || text.length > MOST_EXAMPLE || text.includes(`"${REFERENCE}"`)) return
    // The first in the order of texts, so that the order of the pairs does not matter.
    if (this.#example === undefined || JSON.stringify(value) < JSON.stringify(this.#example)) this.#example = value
  }

  toJson(): object {
    const example = this.#example === undefined ? {} : { example: this.#example }
    return { schema: this.#texts > 0 ? {} : this.#schema.toSchema(), ...example }
  }
}

/** The value of a JSON or form body; undefined: it is neither. */
function bodyValue(text: string, type: string): unknown {
  if (type === 'application/x-www-form-urlencoded') return Object.fromEntries(new URLSearchParams(text))
  if (!/[/+]json$/.test(type)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The bodies of a request or of responses with one status, by media type. */
class Contents {
  readonly #types = new Map<string, Content>()
  bodies = 0

  add(message: Message, examples: boolean): void {
    const type = mediaType(message)
    if (message.body.length === 0 || !/^[\w.+-]+\/[\w.+-]+$/.test(type)) return
    this.bodies++
    const known = this.#types.get(type)
    if (known === undefined && this.#types.size >= MOST_TYPES) return
    const content = known ?? new Content()
    this.#types.set(type, content)
    content.add(message, type, examples)
  }

  toJson(): object {
    return this.#types.size === 0 ? {} : { content: sorted(this.#types, (content) => content.toJson()) }
  }
}

/** One method of one path. */
class Operation {
  #requests = 0
  readonly #query = new Map<string, { schema: MergedSchema; requests: number }>()
  readonly #body = new Contents()
  readonly #responses = new Map<string, { reason: string; contents: Contents }>()

  add({ request, response }: Pair, examples: boolean): void {
    this.#requests++
    for (const [name, value] of queryOf(request.target)) this.#addQuery(name, value)
    this.#body.add(request, examples)
    const status = String(response.status)
    const known = this.#responses.get(status) ?? { reason: '', contents: new Contents() }
    if (response.reason > known.reason) known.reason = response.reason
    known.contents.add(response, examples)
    this.#responses.set(status, known)
  }

  toJson(id: string, pathParameters: readonly object[]): object {
    const query = [...this.#query].sort(byName).map(([name, { schema, requests }]) => ({
      name,
      in: 'query',
      required: requests === this.#requests,
      schema: schema.toSchema(),
    }))
    const parameters = [...pathParameters, ...query]
    const body = this.#body.toJson()
    const hasBody = Object.keys(body).length > 0
    return {
      operationId: id,
      ...(parameters.length > 0 ? { parameters } : {}),
      ...(hasBody ? { requestBody: { required: this.#body.bodies === this.#requests, ...body } } : {}),
      responses: sorted(this.#responses, ({ reason, contents }) => ({
        description: reason === '' ? 'No reason phrase.' : reason,
        ...contents.toJson(),
      })),
    }
  }

  #addQuery(name: string, value: unknown): void {
    const known = this.#query.get(name)
    if (known === undefined && this.#query.size >= MOST_QUERY_NAMES) return
    const parameter = known ?? { schema: new MergedSchema(), requests: 0 }
    parameter.requests++
    parameter.schema.add(value)
    this.#query.set(name, parameter)
  }
}

/** The parameters of a query: each name once, and decimal integers as numbers. */
function queryOf(target: string): Map<string, unknown> {
  const [, query = ''] = /\?([^#]*)/.exec(target) ?? []
  return new Map(
    Array.from(new URLSearchParams(query), ([name, text]) => [name, /^-?\d{1,15}$/.test(text) ? Number(text) : text]),
  )
}

/** A path and its methods. */
class PathItem {
  readonly operations = new Map<string, Operation>()
  /** Kinds of each variable part. */
  readonly #kinds: Set<PartKind>[] = []

  add(pair: Pair, method: string, kinds: readonly PartKind[], examples: boolean): void {
    for (const [index, kind] of kinds.entries()) {
      this.#kinds[index] ??= new Set()
      this.#kinds[index].add(kind)
    }
    const operation = this.operations.get(method) ?? new Operation()
    this.operations.set(method, operation)
    operation.add(pair, examples)
  }

  /** The path's parameters: `id`, `id2`, … */
  parameters(): object[] {
    return this.#kinds.map((kinds, index) => {
      const [only] = kinds
      const schema = kinds.size === 1 ? SCHEMAS[only as PartKind] : { type: 'string' }
      return { name: parameterName(index), in: 'path', required: true, schema }
    })
  }
}

const SCHEMAS: Readonly<Record<PartKind, object>> = {
  integer: { type: 'integer' },
  uuid: { type: 'string', format: 'uuid' },
  date: { type: 'string' },
  hash: { type: 'string' },
  token: { type: 'string' },
  email: { type: 'string', format: 'email' },
}

const parameterName = (index: number): string => (index === 0 ? 'id' : `id${index + 1}`)

/** Collects the routes of pairs. */
export class OpenApiDocument {
  readonly #options: DocumentOptions
  readonly #servers = new Set<string>()
  readonly #paths = new Map<string, PathItem>()
  #pairs = 0
  #leftOut = 0

  constructor(options: DocumentOptions) {
    this.#options = options
  }

  /** @param pair its bodies decoded */
  add(pair: Pair): void {
    const { request } = pair
    const method = request.method.toLowerCase()
    const path = requestPath(request.target)
    const { path: template, kinds } = routeTemplate(path.replace(/[{}]/g, encodeURIComponent))
    const { status } = pair.response
    const isRoute = path.startsWith('/') && METHODS.includes(method) && status >= 100 && status <= 599
    const item = isRoute ? this.#pathItem(numbered(template)) : null
    if (item === null) {
      this.#leftOut++
      return
    }
    this.#pairs++
    this.#addServer(pair)
    item.add(pair, method, kinds, this.#options.examples)
  }

  /** The document, its keys in a fixed order. */
  toJson(): object {
    const leftOut = this.#leftOut === 0 ? '' : ` Left out: ${this.#leftOut} that OpenAPI cannot describe.`
    return {
      openapi: '3.1.0',
      info: {
        title: 'Observed API',
        version: 'observed',
        description: `Made by Interceptor ${this.#options.version} from ${this.#pairs} captured exchanges.${leftOut}`,
      },
      ...(this.#servers.size > 0 ? { servers: [...this.#servers].sort().map((url) => ({ url })) } : {}),
      paths: sorted(this.#paths, (item, path) => {
        const parameters = item.parameters()
        return sorted(item.operations, (operation, method) => operation.toJson(`${method} ${path}`, parameters))
      }),
    }
  }

  #pathItem(path: string): PathItem | null {
    const known = this.#paths.get(path)
    if (known !== undefined || this.#paths.size >= MOST_PATHS) return known ?? null
    const item = new PathItem()
    this.#paths.set(path, item)
    return item
  }

  #addServer({ request, server }: Pair): void {
    const { address, port } = server
    const host = headerValue(request, 'host') ?? ''
    const fallback = `${address.includes(':') ? `[${address}]` : address}:${port}`
    const authority = /^(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?$/i.test(host) ? host : fallback
    if (this.#servers.size < MOST_SERVERS) this.#servers.add(`http://${authority}`)
  }
}

/** Parameters of one path need different names. */
function numbered(template: string): string {
  let index = 0
  return template.replaceAll('{id}', () => `{${parameterName(index++)}}`)
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0

const sorted = <T>(map: ReadonlyMap<string, T>, toJson: (value: T, name: string) => object): object =>
  Object.fromEntries([...map].sort(byName).map(([name, value]) => [name, toJson(value, name)]))
