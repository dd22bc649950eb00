/**
 * Asks the API server who owns a ReplicaSet or a Job, where names alone do not tell: once for each, one after the other, of
 * their metadata only. Without the right to do so the owner itself is what a pod belongs to.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { Backoff } from '../../async/backoff.ts'
import type { Logger } from '../../log/logger.ts'
import type { ApiClient } from './api-client.ts'
import { ApiError, describeFailure } from './api-error.ts'
import { asObject, objectAt } from './json.ts'
import { ownerOf } from './known-pod.ts'
import type { Owner, Workload } from './workload.ts'

/** Owners remembered; beyond it the oldest is forgotten, and asked for again when it is needed. */
const MAX_OWNERS = 4096
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
const MIN_PAUSE_MS = 1000
const MAX_PAUSE_MS = 5 * 60_000

/** What may be owned by something else, by kind. */
const KINDS: Readonly<Record<string, { group: string; resource: string }>> = {
  ReplicaSet: { group: 'apps', resource: 'replicasets' },
  Job: { group: 'batch', resource: 'jobs' },
}

interface Question {
  readonly key: string
  readonly namespace: string
  readonly owner: Owner
}

export interface OwnerLookupOptions {
  client: ApiClient
  log: Pick<Logger, 'info'>
  /** `find` has a new answer for this owner. */
  onAnswer: (namespace: string, owner: Owner) => void
}

export class OwnerLookup {
  readonly #options: OwnerLookupOptions
  readonly #ended = new AbortController()
  /** null: asked, without an answer yet. */
  readonly #answers = new Map<string, Workload | null>()
  readonly #questions: Question[] = []
  /** Resources we may not get. */
  readonly #denied = new Set<string>()
  #asking: Promise<void> = Promise.resolve()
  #isAsking = false

  constructor(options: OwnerLookupOptions) {
    this.#options = options
  }

  /** @returns null: not known; then it is asked for, and `onAnswer` called when it is */
  find(namespace: string, owner: Owner): Workload | null {
    const key = `${owner.kind}/${namespace}/${owner.name}`
    const known = this.#answers.get(key)
    if (known !== undefined) return known
    this.#remember(key, null)
    this.#questions.push({ key, namespace, owner })
    if (!this.#isAsking) this.#asking = this.#askAll()
    return null
  }

  async close(): Promise<void> {
    this.#ended.abort()
    await this.#asking
  }

  async #askAll(): Promise<void> {
    this.#isAsking = true
    const backoff = new Backoff({
      minMs: MIN_PAUSE_MS,
      firstMs: MIN_PAUSE_MS,
      maxMs: MAX_PAUSE_MS,
    })
    const { signal } = this.#ended
    while (this.#questions.length > 0 && !signal.aborted) {
      const question = this.#questions[0]
      if (await this.#ask(question)) {
        this.#questions.shift()
        backoff.reset()
      } else await pause(backoff.next(), undefined, { signal }).catch(() => {})
    }
    this.#isAsking = false
  }

  /** @returns false: to be tried again */
  async #ask({ key, namespace, owner }: Question): Promise<boolean> {
    const { group, resource } = KINDS[owner.kind]
    if (!this.#answers.has(key) || this.#denied.has(resource)) return true
    const path = `/apis/${owner.apiVersion}/namespaces/${namespace}/${resource}/${owner.name}`
    try {
      const object = asObject(
        await this.#options.client.get(path, {}, { signal: this.#ended.signal, accept: METADATA_ONLY }),
      )
      const { kind, name } = ownerOf(objectAt(object, 'metadata')) ?? owner
      this.#remember(key, { kind, name })
      this.#options.onAnswer(namespace, owner)
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
    this.#options.log.info(`${message}: where a pod’s owner has an owner, pairs name the first`, { hint })
  }

  #remember(key: string, answer: Workload | null): void {
    this.#answers.delete(key)
    this.#answers.set(key, answer)
    if (this.#answers.size > MAX_OWNERS) this.#answers.delete(this.#answers.keys().next().value!)
  }
}
