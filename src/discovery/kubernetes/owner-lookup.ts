/**
 * Fetches the owner of a ReplicaSet or a Job from the API server if it cannot be derived from names: one request at a time,
 * once for each object, metadata only. Without the permission, the ReplicaSet or Job itself is the pod's workload.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Backoff } from '../../async/backoff.ts'
import type { Logger } from '../../log/logger.ts'
import type { ApiClient } from './api-client.ts'
import { ApiError, describeFailure } from './api-error.ts'
import { asObject, objectAt } from './json.ts'
import { ownerOf } from './known-pod.ts'
import type { Owner, Workload } from './workload.ts'

/** Owners cached. At the limit the oldest is evicted, and fetched again when it is needed. */
const MAX_OWNERS = 4096
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
const MIN_PAUSE_MS = 1000
const MAX_PAUSE_MS = 5 * 60_000

/** Kinds that may have an owner themselves. */
const KINDS: Readonly<Record<string, { group: string; resource: string }>> = {
  ReplicaSet: { group: 'apps', resource: 'replicasets' },
  Job: { group: 'batch', resource: 'jobs' },
}

interface Request {
  readonly namespace: string
  readonly owner: Owner
}

export interface OwnerLookupOptions {
  client: ApiClient
  log: Pick<Logger, 'info'>
  /** Called when `find` returns a new result for this owner. */
  onFound: (namespace: string, owner: Owner) => void
}

/** The lookup and its cache. */
export class OwnerLookup {
  readonly #options: OwnerLookupOptions
  readonly #ended = new AbortController()
  /** null: requested, without a response yet. */
  readonly #owners = new Map<string, Workload | null>()
  /** Those without a response yet, by key, in the order of the requests. Each is in `#owners`, which bounds them. */
  readonly #pending = new Map<string, Request>()
  /** Resources that this agent is not permitted to get. */
  readonly #denied = new Set<string>()
  #fetching: Promise<void> = Promise.resolve()
  #isFetching = false

  constructor(options: OwnerLookupOptions) {
    this.#options = options
  }

  /** @returns null: not cached; it is requested, and `onFound` called once it is known */
  find(namespace: string, owner: Owner): Workload | null {
    const key = `${owner.kind}/${namespace}/${owner.name}`
    const known = this.#owners.get(key)
    if (known !== undefined) return known
    this.#cache(key, null)
    this.#pending.set(key, { namespace, owner })
    if (!this.#isFetching) this.#fetching = this.#fetchAll()
    return null
  }

  async close(): Promise<void> {
    this.#ended.abort()
    await this.#fetching
  }

  async #fetchAll(): Promise<void> {
    this.#isFetching = true
    const backoff = new Backoff({
      minMs: MIN_PAUSE_MS,
      firstMs: MIN_PAUSE_MS,
      maxMs: MAX_PAUSE_MS,
    })
    const { signal } = this.#ended
    for (let [first] = this.#pending; first !== undefined && !signal.aborted; [first] = this.#pending) {
      const [key, request] = first
      if (await this.#fetch(key, request)) {
        this.#pending.delete(key)
        backoff.reset()
      } else await pause(backoff.next(), undefined, { signal }).catch(() => {})
    }
    this.#isFetching = false
  }

  /** @returns false: it has to be retried */
  async #fetch(key: string, { namespace, owner }: Request): Promise<boolean> {
    const { group, resource } = KINDS[owner.kind]
    if (this.#denied.has(resource)) return true
    const path = `/apis/${owner.apiVersion}/namespaces/${namespace}/${resource}/${owner.name}`
    try {
      const object = asObject(
        await this.#options.client.get(path, {}, { signal: this.#ended.signal, accept: METADATA_ONLY }),
      )
      const { kind, name } = ownerOf(objectAt(object, 'metadata')) ?? owner
      this.#cache(key, { kind, name })
      this.#options.onFound(namespace, owner)
      return true
    } catch (error) {
      if (!(error instanceof ApiError) || !(error.isForbidden || error.status === 404)) return false
      if (error.isForbidden) this.#deny(resource, group, error)
      return true
    }
  }

  #deny(resource: string, group: string, error: ApiError): void {
    this.#denied.add(resource)
    const { message, hint } = describeFailure(error, { verb: 'get', resource, group })
    this.#options.log.info(`${message}; the workload of such pods is their direct owner`, { hint })
  }

  #cache(key: string, owner: Workload | null): void {
    this.#owners.delete(key)
    this.#owners.set(key, owner)
    if (this.#owners.size <= MAX_OWNERS) return
    const oldest = this.#owners.keys().next().value ?? ''
    this.#owners.delete(oldest)
    this.#pending.delete(oldest)
  }
}
