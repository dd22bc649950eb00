/**
 * The fields of a pair as expressions see them: those of docs/pair.md, and others that people search for. Whole numbers
 * are BigInts, as CEL's `int` requires; header names are in lower case; an end that is no known pod has empty names.
 */
import { isUtf8 } from 'node:buffer'
import { type Endpoint, type Message, mediaType, type Pair, type PairPod, type RequestMessage } from '../pair/pair.ts'
import { requestPath } from './request-path.ts'

/** The CEL type of each field. Bodies' JSON is dynamic: its fields are known only when it is read. */
const MESSAGE_TYPES = {
  httpVersion: 'string',
  /** By name in lower case; values of repeated fields are joined by `, `. */
  headers: 'map<string, string>',
  contentType: 'string',
  /** The body as text; empty if it is not UTF-8. */
  body: 'string',
  /** The body as parsed JSON; null if it is not JSON. */
  json: 'dyn',
  bodySize: 'int',
  wireSize: 'int',
} as const

/** The fields of each type of object. */
export const FIELD_TYPES = {
  Workload: { kind: 'string', name: 'string' },
  Pod: {
    name: 'string',
    namespace: 'string',
    uid: 'string',
    container: 'string',
    workload: 'Workload',
    labels: 'map<string, string>',
  },
  Endpoint: { address: 'string', port: 'int', pod: 'Pod' },
  Request: { ...MESSAGE_TYPES, method: 'string', target: 'string', path: 'string', host: 'string' },
  Response: { ...MESSAGE_TYPES, status: 'int', reason: 'string' },
  Capture: { node: 'string', interface: 'string', vantage: 'string', mesh: 'string' },
}

/** The variables of an expression, and their types. */
export const VARIABLES = {
  id: 'string',
  /** From the request's first byte to the response's last. */
  latencyMs: 'double',
  flags: 'list<string>',
  client: 'Endpoint',
  server: 'Endpoint',
  request: 'Request',
  response: 'Response',
  capture: 'Capture',
} as const

/** Every field as it is written in an expression: `server.pod.workload.name`. */
export const FIELD_PATHS: readonly string[] = Object.entries(VARIABLES).flatMap(([name, type]) => pathsOf(name, type))

function pathsOf(path: string, type: string): string[] {
  const fields = Object.entries(FIELD_TYPES[type as keyof typeof FIELD_TYPES] ?? {})
  return [path, ...fields.flatMap(([name, inner]) => pathsOf(`${path}.${name}`, inner))]
}

class MessageFields {
  readonly httpVersion: string
  readonly bodySize: bigint
  readonly wireSize: bigint
  readonly #message: Message
  #json: unknown

  constructor(message: Message) {
    this.#message = message
    this.httpVersion = message.httpVersion
    this.bodySize = BigInt(message.bodySize)
    this.wireSize = BigInt(message.wireSize)
  }

  get headers(): Map<string, string> {
    const headers = new Map<string, string>()
    for (const [name, value] of this.#message.headers) {
      const key = name.toLowerCase()
      const before = headers.get(key)
      headers.set(key, before === undefined ? value : `${before}, ${value}`)
    }
    return headers
  }

  get contentType(): string {
    return mediaType(this.#message)
  }

  get body(): string {
    const { body } = this.#message
    return isUtf8(body) ? Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString() : ''
  }

  get json(): unknown {
    this.#json ??= parsed(this.body)
    return this.#json
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A request. */
export class RequestFields extends MessageFields {
  readonly method: string
  readonly target: string
  readonly #request: RequestMessage

  constructor(request: RequestMessage) {
    super(request)
    this.#request = request
    this.method = request.method
    this.target = request.target
  }

  /** The target without scheme, authority, query and fragment. */
  get path(): string {
    return requestPath(this.target)
  }

  /** The Host field, without the port; empty if there is none. */
  get host(): string {
    const [, value = ''] = this.#request.headers.find(([name]) => name.toLowerCase() === 'host') ?? []
    return value.replace(/:\d*$/, '')
  }
}

/** A response. */
export class ResponseFields extends MessageFields {
  readonly status: bigint
  readonly reason: string

  constructor(response: Pair['response']) {
    super(response)
    this.status = BigInt(response.status)
    this.reason = response.reason
  }
}

/** A pod's controller. */
export class WorkloadFields {
  readonly kind: string
  readonly name: string

  constructor(pod: PairPod | null) {
    this.kind = pod?.workload?.kind ?? ''
    this.name = pod?.workload?.name ?? ''
  }
}

/** A pod. */
export class PodFields {
  readonly name: string
  readonly namespace: string
  readonly uid: string
  readonly container: string
  readonly workload: WorkloadFields
  readonly labels: Map<string, string>

  constructor(pod: PairPod | null) {
    this.name = pod?.name ?? ''
    this.namespace = pod?.namespace ?? ''
    this.uid = pod?.uid ?? ''
    this.container = pod?.container ?? ''
    this.workload = new WorkloadFields(pod)
    this.labels = new Map(Object.entries(pod?.labels ?? {}))
  }
}

/** One end of the connection. */
export class EndpointFields {
  readonly address: string
  readonly port: bigint
  readonly #pod: PairPod | null

  constructor({ address, port, pod }: Endpoint) {
    this.address = address
    this.port = BigInt(port)
    this.#pod = pod
  }

  get pod(): PodFields {
    return new PodFields(this.#pod)
  }
}

/** Where the pair was captured. */
export class CaptureFields {
  readonly node: string
  readonly interface: string
  readonly vantage: string
  readonly mesh: string

  constructor(capture: Pair['capture']) {
    this.node = capture.node
    this.interface = capture.interface
    this.vantage = capture.vantage
    this.mesh = capture.mesh ?? ''
  }
}

/** The values of VARIABLES for one pair. */
export const variablesOf = (pair: Pair): Record<keyof typeof VARIABLES, unknown> => ({
  id: pair.id,
  latencyMs: Math.max(0, pair.responseEndMicros - pair.requestStartMicros) / 1000,
  flags: pair.flags,
  client: new EndpointFields(pair.client),
  server: new EndpointFields(pair.server),
  request: new RequestFields(pair.request),
  response: new ResponseFields(pair.response),
  capture: new CaptureFields(pair.capture),
})
