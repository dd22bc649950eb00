/**
 * Watches the pods of other nodes and the cluster's Services, which name the remote end of connections
 * (`kubernetes.remoteNames`). Only identities are kept; equal labels and workloads share one object.
 */

import type { Logger } from '../../log/logger.ts'
import type { PodIdentity } from '../../pair/endpoint-pod.ts'
import type { ApiClient } from './api-client.ts'
import type { Change, Collection, WatchState, WatchTiming } from './collection.ts'
import { asObject, listAt, objectAt, textAt } from './json.ts'
import { canonicalAddress, readPod } from './known-pod.ts'
import { ListWatch } from './list-watch.ts'

/** Most records kept, which bounds the memory (figures in docs/kubernetes.md). */
const MAX_PODS = 20_000
const MAX_SERVICES = 10_000
/** A pod is 5 to 20 KB of JSON, of which about 0.4 KB are kept. */
const PAGE = 100
/** Objects in the sharing table. At the limit it is cleared. */
const MAX_SHARED = 10_000

/** A pod of another node. */
export interface RemotePod {
  readonly kind: 'pod'
  readonly uid: string
  /** Canonical text (RFC 5952). */
  readonly addresses: readonly string[]
  readonly identity: PodIdentity
  /** When its kubelet accepted it, microseconds since the Unix epoch; null: unknown. */
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

export interface RemoteWatchOptions {
  client: ApiClient
  /** This node, whose pods are excluded. */
  node: string
  log: Pick<Logger, 'info' | 'warn'>
  onChange: (change: Change<RemotePod | RemoteService>) => void
  timing?: WatchTiming
}

/** The two watches. */
export class RemoteWatch {
  readonly #pods: ListWatch<RemotePod>
  readonly #services: ListWatch<RemoteService>

  /** Watches from now on, until `close`. */
  constructor({ node, onChange, ...rest }: RemoteWatchOptions) {
    this.#pods = new ListWatch({ ...rest, collection: remotePods(node), onChange })
    this.#services = new ListWatch({ ...rest, collection: SERVICES, onChange })
  }

  /** By the API's uid; updated as events arrive. */
  get pods(): ReadonlyMap<string, RemotePod> {
    return this.#pods.items
  }

  /** By the API's uid; updated as events arrive. */
  get services(): ReadonlyMap<string, RemoteService> {
    return this.#services.items
  }

  get state(): { readonly pods: WatchState; readonly services: WatchState } {
    return { pods: this.#pods.state, services: this.#services.state }
  }

  async close(): Promise<void> {
    await Promise.all([this.#pods.close(), this.#services.close()])
  }
}

function remotePods(node: string): Collection<RemotePod> {
  const share = sharer()
  return {
    path: '/api/v1/pods',
    resource: 'pods',
    group: '',
    // Ended pods have lost their addresses. The server reports a pod that leaves the selection as deleted.
    fieldSelector: `spec.nodeName!=${node},status.phase!=Succeeded,status.phase!=Failed`,
    pageSize: PAGE,
    paged: true,
    maxRecords: MAX_PODS,
    keep: (object) => {
      const pod = readPod(object)
      // The node's address does not identify a pod with the host's network.
      if (pod === null || pod.hostNetwork || pod.addresses.length === 0) return null
      const { uid, name, namespace, addresses, startMicros } = pod
      const { labels, workload } = share({ labels: pod.labels, workload: pod.workload })
      return { kind: 'pod', uid, addresses, startMicros, identity: { name, namespace, uid, workload, labels } }
    },
  }
}

/** Returns the same object for values with equal JSON. */
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
    // A headless Service has no address (`None`).
    if (uid === '' || addresses.length === 0) return null
    const [name, namespace] = [textAt(metadata, 'name'), textAt(metadata, 'namespace')]
    return { kind: 'service', uid, addresses: [...new Set(addresses)], name, namespace }
  },
}
