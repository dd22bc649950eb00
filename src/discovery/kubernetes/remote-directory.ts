/**
 * Names for the far end of connections (`kubernetes.remoteNames`): the pods of other nodes and the cluster's Services, by
 * address. Only what names them is kept, labels that several pods share once.
 */

import type { Logger } from '../../log/logger.ts'
import type { PodIdentity } from '../../pair/endpoint-pod.ts'
import type { ApiClient } from './api-client.ts'
import type { Change, Collection, WatchState, WatchTiming } from './collection.ts'
import { asObject, listAt, objectAt, textAt } from './json.ts'
import { canonicalAddress, readPod } from './known-pod.ts'
import { ListWatch } from './list-watch.ts'

/** Most that are kept; bounds the memory (docs/kubernetes.md has figures). */
const MAX_PODS = 20_000
const MAX_SERVICES = 10_000
/** A pod of the API has 5 to 20 KB as JSON, of which some 0.4 are kept. */
const PAGE = 100
/** Sets of labels that are shared; beyond it sharing begins anew. */
const MAX_SHARED = 10_000

/** A pod of another node. */
export interface RemotePod {
  readonly kind: 'pod'
  readonly uid: string
  /** Canonical text (RFC 5952). */
  readonly addresses: readonly string[]
  readonly identity: PodIdentity
  /** When its node took it up, microseconds since the Unix epoch; null: not known. */
  readonly startMicros: number | null
}

export interface RemoteService {
  readonly kind: 'service'
  readonly uid: string
  /** Its ClusterIPs, canonical text (RFC 5952). */
  readonly addresses: readonly string[]
  readonly name: string
  readonly namespace: string
}

export interface RemoteDirectoryOptions {
  client: ApiClient
  /** This node, whose pods are not among them. */
  node: string
  log: Pick<Logger, 'info' | 'warn'>
  onChange: (change: Change<RemotePod | RemoteService>) => void
  timing?: WatchTiming
}

export class RemoteDirectory {
  readonly #byAddress = new Map<string, RemotePod | RemoteService>()
  readonly #pods: ListWatch<RemotePod>
  readonly #services: ListWatch<RemoteService>

  /** Begins at once, and goes on until `close`. */
  constructor({ node, onChange, ...rest }: RemoteDirectoryOptions) {
    const take = (change: Change<RemotePod | RemoteService>): void => {
      this.#index(change)
      onChange(change)
    }
    this.#pods = new ListWatch({ ...rest, collection: remotePods(node), onChange: take })
    this.#services = new ListWatch({ ...rest, collection: SERVICES, onChange: take })
  }

  /** Who has the address now. @param address canonical text */
  lookup(address: string): RemotePod | RemoteService | null {
    return this.#byAddress.get(address) ?? null
  }

  /** How many are known. */
  get size(): { readonly pods: number; readonly services: number } {
    return { pods: this.#pods.items.size, services: this.#services.items.size }
  }

  get state(): { readonly pods: WatchState; readonly services: WatchState } {
    return { pods: this.#pods.state, services: this.#services.state }
  }

  async close(): Promise<void> {
    await Promise.all([this.#pods.close(), this.#services.close()])
  }

  /** An address may pass to another before its former holder is told to be gone: the later one keeps it. */
  #index({ now, before }: Change<RemotePod | RemoteService>): void {
    for (const address of before?.addresses ?? []) {
      if (this.#byAddress.get(address)?.uid === before!.uid) this.#byAddress.delete(address)
    }
    for (const address of now?.addresses ?? []) this.#byAddress.set(address, now!)
  }
}

function remotePods(node: string): Collection<RemotePod> {
  const share = sharer()
  return {
    path: '/api/v1/pods',
    resource: 'pods',
    group: '',
    // Those that have ended have lost their addresses; the server tells of one that leaves the selection as deleted.
    fieldSelector: `spec.nodeName!=${node},status.phase!=Succeeded,status.phase!=Failed`,
    pageSize: PAGE,
    paged: true,
    maxRecords: MAX_PODS,
    keep: (object) => {
      const pod = readPod(object)
      // A node's address is many pods'.
      if (pod === null || pod.hostNetwork || pod.addresses.length === 0) return null
      const { uid, name, namespace, addresses, startMicros } = pod
      const { labels, workload } = share({ labels: pod.labels, workload: pod.workload })
      return { kind: 'pod', uid, addresses, startMicros, identity: { name, namespace, uid, workload, labels } }
    },
  }
}

/** What is equal as JSON becomes the same object. */
function sharer(): <T>(value: T) => T {
  const shared = new Map<string, unknown>()
  return <T>(value: T): T => {
    const key = JSON.stringify(value)
    const known = shared.get(key)
    if (known !== undefined) return known as T
    if (shared.size >= MAX_SHARED) shared.clear()
    shared.set(key, value)
    return value
  }
}

const SERVICES: Collection<RemoteService> = {
  path: '/api/v1/services',
  resource: 'services',
  group: '',
  fieldSelector: '',
  pageSize: PAGE,
  paged: true,
  maxRecords: MAX_SERVICES,
  keep: (object) => {
    const service = asObject(object)
    const [metadata, spec] = [objectAt(service, 'metadata'), objectAt(service, 'spec')]
    const texts = [textAt(spec, 'clusterIP'), ...listAt(spec, 'clusterIPs')]
    const addresses = texts.flatMap((text) => (typeof text === 'string' && canonicalAddress(text)) || [])
    const uid = textAt(metadata, 'uid')
    // A headless one has no address (`None`).
    if (uid === '' || addresses.length === 0) return null
    const [name, namespace] = [textAt(metadata, 'name'), textAt(metadata, 'namespace')]
    return { kind: 'service', uid, addresses: [...new Set(addresses)], name, namespace }
  },
}
