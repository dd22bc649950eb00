/**
 * The cluster's networks according to the API server: the nodes' pod networks, the nodes' addresses, and the ranges of
 * Services. Polled rarely, because they seldom change and Node objects are large. What cannot be read is left out.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Backoff } from '../../async/backoff.ts'
import type { Logger } from '../../log/logger.ts'
import { OutageLog } from '../../log/outage-log.ts'
import { aggregateCidrs } from '../../net/aggregate-cidrs.ts'
import type { ApiClient } from './api-client.ts'
import { type ApiAction, ApiError, describeFailure } from './api-error.ts'
import { asObject, type JsonObject, listAt, objectAt, textAt } from './json.ts'

const NODES: ApiAction = { verb: 'list', resource: 'nodes', group: '' }
/** Since Kubernetes 1.33. */
const SERVICE_RANGES: ApiAction = { verb: 'list', resource: 'servicecidrs', group: 'networking.k8s.io' }
const PAGE = 100
const RETRY_MIN_MS = 5000
const RETRY_MAX_MS = 10 * 60_000
/**
 * Pause between two polls: the larger of a minimum and a time for each node of the cluster. With these, the agents of
 * 1,000 nodes together read about 2.5 MB/s of Node objects of 10 KB, those of 5,000 nodes 12 MB/s.
 */
const REFRESH_MIN_MS = 10 * 60_000
const REFRESH_MS_PER_NODE = 4000
const ALTERNATIVE = 'Or set targets.clusterNetworks, so that this request is not needed.'

export interface ClusterCidrsOptions {
  client: ApiClient
  log: Pick<Logger, 'info' | 'warn'>
  /** Called when the networks have changed. */
  onChange: () => void
}

/** Polls the cluster's networks. */
export class ClusterCidrs {
  readonly #options: ClusterCidrsOptions
  readonly #ended = new AbortController()
  readonly #running: Promise<void>
  readonly #nodesOutage: OutageLog
  readonly #rangesOutage: OutageLog
  #nodes: readonly string[] = []
  #ranges: readonly string[] = []
  #cidrs: readonly string[] = []
  #nodeCount = 0

  /** Polls from now on, until `close`. */
  constructor(options: ClusterCidrsOptions) {
    this.#options = options
    this.#nodesOutage = new OutageLog(options.log)
    this.#rangesOutage = new OutageLog(options.log)
    this.#running = this.#run()
  }

  /** CIDRs, as few as possible. */
  get cidrs(): readonly string[] {
    return this.#cidrs
  }

  async close(): Promise<void> {
    this.#ended.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    const backoff = new Backoff({
      minMs: RETRY_MIN_MS,
      firstMs: RETRY_MIN_MS,
      maxMs: RETRY_MAX_MS,
    })
    while (!signal.aborted) {
      const [nodes, ranges] = [await this.#readNodes(), await this.#readRanges()]
      this.#publish()
      if (nodes && ranges) backoff.reset()
      const refresh = Math.max(REFRESH_MIN_MS, this.#nodeCount * REFRESH_MS_PER_NODE) * (1 + Math.random() / 4)
      await pause(nodes && ranges ? refresh : backoff.next(), undefined, { signal }).catch(() => {})
    }
  }

  /** @returns false: it failed, and the last result stays in effect */
  #readNodes(): Promise<boolean> {
    return this.#attempt(NODES, this.#nodesOutage, async () => {
      let count = 0
      const found: string[] = []
      for await (const node of this.#list('/api/v1/nodes')) {
        count += 1
        found.push(...networksOfNode(node))
      }
      this.#nodes = found
      this.#nodeCount = count
    })
  }

  #readRanges(): Promise<boolean> {
    return this.#attempt(SERVICE_RANGES, this.#rangesOutage, async () => {
      const found: string[] = []
      for await (const range of this.#list('/apis/networking.k8s.io/v1/servicecidrs')) {
        found.push(...texts(listAt(objectAt(range, 'spec'), 'cidrs')))
      }
      this.#ranges = found
    })
  }

  async #attempt(action: ApiAction, outage: OutageLog, work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      outage.recovered(`${action.resource} can be listed again`)
      return true
    } catch (error) {
      if (this.#ended.signal.aborted) return false
      // An API server without the resource will not have it soon either.
      const isUnknown = error instanceof ApiError && error.status === 404
      const failure = describeFailure(error, action)
      const hint = isUnknown ? 'The ranges of Services can be listed since Kubernetes 1.33.' : failure.hint
      outage.failed({ ...failure, hint: `${hint} ${ALTERNATIVE}` })
      return isUnknown
    }
  }

  async *#list(path: string): AsyncGenerator<JsonObject> {
    let next: string | undefined
    do {
      const query = { limit: PAGE, continue: next }
      const page = asObject(await this.#options.client.get(path, query, { signal: this.#ended.signal }))
      yield* listAt(page, 'items').map(asObject)
      next = textAt(objectAt(page, 'metadata'), 'continue') || undefined
    } while (next !== undefined)
  }

  #publish(): void {
    const cidrs = aggregateCidrs([...this.#nodes, ...this.#ranges])
    if (cidrs.join() === this.#cidrs.join()) return
    this.#cidrs = cidrs
    this.#options.onChange()
  }
}

/** The node's pod networks, and its own addresses, where pods with the host's network listen. */
function networksOfNode(node: JsonObject): string[] {
  const addresses = listAt(objectAt(node, 'status'), 'addresses').map(asObject)
  const internal = addresses.filter((address) => textAt(address, 'type') === 'InternalIP')
  const spec = objectAt(node, 'spec')
  return [...texts(listAt(spec, 'podCIDRs')), ...internal.map((address) => textAt(address, 'address'))]
}

const texts = (values: readonly unknown[]): string[] => values.filter((value) => typeof value === 'string')
