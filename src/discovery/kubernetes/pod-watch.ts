/**
 * Watches this node's pods, and everything else that the agent reads from the API server. Main thread. Import this
 * module only if an API server is used.
 */
import type { Config } from '../../config/schema.ts'
import type { Logger } from '../../log/logger.ts'
import type { ApiAccess } from './access.ts'
import { ApiClient } from './api-client.ts'
import { ClusterCidrs } from './cluster-cidrs.ts'
import type { Change, Collection, WatchState, WatchTiming } from './collection.ts'
import { type KnownPod, readPod } from './known-pod.ts'
import { ListWatch } from './list-watch.ts'
import { OwnerLookup } from './owner-lookup.ts'
import { type RemotePod, type RemoteService, RemoteWatch } from './remote-watch.ts'
import { guessWorkload, type Owner } from './workload.ts'

/** A kubelet runs 110 pods by default; large nodes are configured for up to 500. */
const MAX_PODS = 5000
const PAGE = 500

export type PodChange = Change<KnownPod>
export type RemoteChange = Change<RemotePod | RemoteService>

export interface PodWatchOptions {
  access: ApiAccess
  /** Name of this node's Node object. */
  node: string
  /** `kubernetes.remoteNames`: whether pods of other nodes and Services are watched too. */
  remoteNames: Config['kubernetes']['remoteNames']
  /** `targets.clusterNetworks`; if not empty, the API server is not polled for them. */
  clusterNetworks: Config['targets']['clusterNetworks']
  log: Pick<Logger, 'info' | 'warn'>
  onChange: (change: PodChange) => void
  onRemoteChange?: (change: RemoteChange) => void
  onNetworksChange?: () => void
  timing?: WatchTiming
}

/** Watches from its construction until `close`. Never throws and never gives up. */
export class PodWatch {
  /** Pods of other nodes, and Services; null: not watched. */
  readonly remote: RemoteWatch | null
  readonly #options: PodWatchOptions
  readonly #pods = new Map<string, KnownPod>()
  readonly #watch: ListWatch<KnownPod>
  readonly #owners: OwnerLookup
  readonly #cidrs: ClusterCidrs | null

  constructor(options: PodWatchOptions) {
    this.#options = options
    const { access, node, log, clusterNetworks, timing } = options
    const client = new ApiClient(access)
    const common = timing === undefined ? { client, log } : { client, log, timing }
    this.#owners = new OwnerLookup({ client, log, onFound: (namespace, owner) => this.#rename(namespace, owner) })
    this.#watch = new ListWatch({
      ...common,
      collection: podsOfNode(node),
      onChange: (change) => this.#apply(change),
      onList: () => this.#checkNode(),
    })
    const onNetworksChange = options.onNetworksChange ?? (() => {})
    this.#cidrs = clusterNetworks.length > 0 ? null : new ClusterCidrs({ client, log, onChange: onNetworksChange })
    const onChange = options.onRemoteChange ?? (() => {})
    this.remote = options.remoteNames ? new RemoteWatch({ ...common, node, onChange }) : null
  }

  /** By the API's uid. */
  get pods(): ReadonlyMap<string, KnownPod> {
    return this.#pods
  }

  /** State of the watch of this node's pods. */
  get state(): WatchState {
    return this.#watch.state
  }

  /** The cluster's networks, CIDRs: those of the configuration or, if empty, those of the API server. */
  clusterNetworks(): readonly string[] {
    return this.#cidrs?.cidrs ?? this.#options.clusterNetworks
  }

  async close(): Promise<void> {
    await Promise.all([this.#watch.close(), this.#owners.close(), this.#cidrs?.close(), this.remote?.close()])
  }

  #apply(change: PodChange): void {
    if (change.now !== null) this.#put(this.#withOwner(change.now))
    else this.#remove(change.before.uid)
  }

  #remove(uid: string): void {
    const before = this.#pods.get(uid)
    if (before === undefined) return
    this.#pods.delete(uid)
    this.#options.onChange({ type: 'removed', now: null, before })
  }

  #put(now: KnownPod): void {
    const before = this.#pods.get(now.uid) ?? null
    this.#pods.set(now.uid, now)
    this.#options.onChange(before === null ? { type: 'added', now, before } : { type: 'changed', now, before })
  }

  /** The pod with the workload from the API server, if that was needed and is known. */
  #withOwner(pod: KnownPod): KnownPod {
    if (pod.owner === null || !guessWorkload(pod).uncertain) return pod
    const workload = this.#owners.find(pod.namespace, pod.owner)
    return workload === null ? pod : { ...pod, workload }
  }

  #rename(namespace: string, owner: Owner): void {
    const isOwned = (pod: KnownPod): boolean =>
      pod.namespace === namespace && pod.owner?.kind === owner.kind && pod.owner.name === owner.name
    for (const pod of [...this.#pods.values()].filter(isOwned)) {
      const named = this.#withOwner(pod)
      if (named.workload?.name !== pod.workload?.name || named.workload?.kind !== pod.workload?.kind) this.#put(named)
    }
  }

  /** In a cluster, every node has at least one pod: the agent's own. */
  #checkNode(): void {
    if (this.#pods.size > 0) return
    const hint = 'node.name must be the name of the Node object; in a DaemonSet, set NODE_NAME from spec.nodeName.'
    this.#options.log.warn(`the API server lists no pods for node ${this.#options.node}`, { hint })
  }
}

const podsOfNode = (node: string): Collection<KnownPod> => ({
  path: '/api/v1/pods',
  resource: 'pods',
  group: '',
  fieldSelector: `spec.nodeName=${node}`,
  pageSize: PAGE,
  paged: false,
  maxRecords: MAX_PODS,
  keep: readPod,
})
