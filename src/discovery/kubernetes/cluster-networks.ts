/**
 * Which addresses are the cluster's own: its nodes' pod networks, the nodes themselves, and the ranges of Services. Asked
 * for slowly, because it changes slowly and Node objects are large. Whatever cannot be asked for is not in it.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Backoff } from '../../async/backoff.ts'
import type { Logger } from '../../log/logger.ts'
import { OutageLog } from '../../log/outage-log.ts'
import { joinNetworks } from '../../net/aggregate-networks.ts'
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
 * Pause between two looks: this, or so much for each node of the cluster. Then all agents of 1,000 nodes read some 2.5 MB/s
 * of Node objects of 10 KB, of 5,000 nodes 12 MB/s.
 */
const REFRESH_MIN_MS = 10 * 60_000
const REFRESH_MS_PER_NODE = 4000
const OTHERWISE = 'Or set targets.clusterNetworks: then it is not asked for.'

export interface ClusterNetworksOptions {
  client: ApiClient
  log: Pick<Logger, 'info' | 'warn'>
  /** The networks have changed. */
  onChange: () => void
}

export class ClusterNetworks {
  readonly #options: ClusterNetworksOptions
  readonly #ended = new AbortController()
  readonly #running: Promise<void>
  readonly #nodesOutage: OutageLog
  readonly #rangesOutage: OutageLog
  #nodes: readonly string[] = []
  #ranges: readonly string[] = []
  #networks: readonly string[] = []
  #nodeCount = 0

  /** Begins at once, and goes on until `close`. */
  constructor(options: ClusterNetworksOptions) {
    this.#options = options
    this.#nodesOutage = new OutageLog(options.log)
    this.#rangesOutage = new OutageLog(options.log)
    this.#running = this.#run()
  }

  /** CIDRs, as few as possible. */
  get networks(): readonly string[] {
    return this.#networks
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
      const [nodes, ranges] = [await this.#lookAtNodes(), await this.#lookAtRanges()]
      this.#publish()
      if (nodes && ranges) backoff.reset()
      const refresh = Math.max(REFRESH_MIN_MS, this.#nodeCount * REFRESH_MS_PER_NODE) * (1 + Math.random() / 4)
      await pause(nodes && ranges ? refresh : backoff.next(), undefined, { signal }).catch(() => {})
    }
  }

  /** @returns false: it failed, and what was known stays */
  #lookAtNodes(): Promise<boolean> {
    return this.#look(NODES, this.#nodesOutage, async () => {
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

  #lookAtRanges(): Promise<boolean> {
    return this.#look(SERVICE_RANGES, this.#rangesOutage, async () => {
      const found: string[] = []
      for await (const range of this.#list('/apis/networking.k8s.io/v1/servicecidrs')) {
        found.push(...texts(listAt(objectAt(range, 'spec'), 'cidrs')))
      }
      this.#ranges = found
    })
  }

  async #look(action: ApiAction, outage: OutageLog, work: () => Promise<void>): Promise<boolean> {
    try {
      await work()
      outage.recovered(`${action.resource} are known again`)
      return true
    } catch (error) {
      if (this.#ended.signal.aborted) return false
      // Asking again soon would not help where the resource is not known.
      const isUnknown = error instanceof ApiError && error.status === 404
      const failure = describeFailure(error, action)
      const hint = isUnknown ? 'Kubernetes tells the ranges of its Services since 1.33.' : failure.hint
      outage.failed({ ...failure, hint: `${hint} ${OTHERWISE}` })
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
    const networks = joinNetworks([...this.#nodes, ...this.#ranges])
    if (networks.join() === this.#networks.join()) return
    this.#networks = networks
    this.#options.onChange()
  }
}

/** Its pods' networks, and its own addresses: pods with the host's network answer there. */
function networksOfNode(node: JsonObject): string[] {
  const addresses = listAt(objectAt(node, 'status'), 'addresses').map(asObject)
  const internal = addresses.filter((address) => textAt(address, 'type') === 'InternalIP')
  const spec = objectAt(node, 'spec')
  return [...texts(listAt(spec, 'podCIDRs')), ...internal.map((address) => textAt(address, 'address'))]
}

const texts = (values: readonly unknown[]): string[] => values.filter((value) => typeof value === 'string')
