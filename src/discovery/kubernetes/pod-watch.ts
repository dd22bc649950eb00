/**
 * What the API server knows of this node's pods, kept up to date: the one place where the agent asks it anything. Main
 * thread. Load this module only when there is an API server to ask.
 */
import type { Config } from '../../config/schema.ts'
import type { Logger } from '../../log/logger.ts'
import type { ApiAccess } from './access.ts'
import { ApiClient } from './api-client.ts'
import { ClusterNetworks } from './cluster-networks.ts'
import type { Change, Collection, WatchState, WatchTiming } from './collection.ts'
import { type KnownPod, readPod } from './known-pod.ts'
import { ListWatch } from './list-watch.ts'
import { OwnerLookup } from './owner-lookup.ts'
import { RemoteDirectory, type RemotePod, type RemoteService } from './remote-directory.ts'
import { guessWorkload, type Owner } from './workload.ts'

/** A kubelet runs some 110 pods, 500 where it was told to. */
const MAX_PODS = 5000
const PAGE = 500

export type PodChange = Change<KnownPod>
export type RemoteChange = Change<RemotePod | RemoteService>

export interface PodWatchOptions {
  access: ApiAccess
  /** Name of this node's Node object. */
  node: string
  /** Whether `remote` is there. */
  remoteNames: Config['kubernetes']['remoteNames']
  /** `targets.clusterNetworks`; not empty: the API server is not asked for any. */
  clusterNetworks: Config['targets']['clusterNetworks']
  log: Pick<Logger, 'info' | 'warn'>
  onChange: (change: PodChange) => void
  onRemoteChange?: (change: RemoteChange) => void
  onNetworksChange?: () => void
  timing?: WatchTiming
}

/** Follows this node's pods, and what else was asked for, from its making until `close`. Never throws, never gives up. */
export class PodWatch {
  /** The pods and Services beyond this node; null: not asked for. */
  readonly remote: RemoteDirectory | null
  readonly #options: PodWatchOptions
  readonly #pods = new Map<string, KnownPod>()
  readonly #watch: ListWatch<KnownPod>
  readonly #owners: OwnerLookup
  readonly #networks: ClusterNetworks | null

  constructor(options: PodWatchOptions) {
    this.#options = options
    const { access, node, log, clusterNetworks, timing } = options
    const client = new ApiClient(access)
    const common = timing === undefined ? { client, log } : { client, log, timing }
    this.#owners = new OwnerLookup({ client, log, onAnswer: (namespace, owner) => this.#rename(namespace, owner) })
    this.#watch = new ListWatch({
      ...common,
      collection: podsOfNode(node),
      onChange: (change) => this.#take(change),
      onList: () => this.#checkNode(),
    })
    const onNetworksChange = options.onNetworksChange ?? (() => {})
    this.#networks =
      clusterNetworks.length > 0 ? null : new ClusterNetworks({ client, log, onChange: onNetworksChange })
    const onChange = options.onRemoteChange ?? (() => {})
    this.remote = options.remoteNames ? new RemoteDirectory({ ...common, node, onChange }) : null
  }

  /** By uid of the API. */
  get pods(): ReadonlyMap<string, KnownPod> {
    return this.#pods
  }

  /** Of the watch of this node's pods. */
  get state(): WatchState {
    return this.#watch.state
  }

  /** The cluster's own networks, CIDRs: those of the configuration, else what the API server says. */
  clusterNetworks(): readonly string[] {
    return this.#networks?.networks ?? this.#options.clusterNetworks
  }

  async close(): Promise<void> {
    await Promise.all([this.#watch.close(), this.#owners.close(), this.#networks?.close(), this.remote?.close()])
  }

  #take(change: PodChange): void {
    if (change.now !== null) this.#put(this.#complete(change.now))
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

  /** The pod with its workload, where the API server had to be asked for it and has answered. */
  #complete(pod: KnownPod): KnownPod {
    if (pod.owner === null || !guessWorkload(pod).uncertain) return pod
    const workload = this.#owners.find(pod.namespace, pod.owner)
    return workload === null ? pod : { ...pod, workload }
  }

  #rename(namespace: string, owner: Owner): void {
    const isOwned = (pod: KnownPod): boolean =>
      pod.namespace === namespace && pod.owner?.kind === owner.kind && pod.owner.name === owner.name
    for (const pod of [...this.#pods.values()].filter(isOwned)) {
      const named = this.#complete(pod)
      if (named.workload?.name !== pod.workload?.name || named.workload?.kind !== pod.workload?.kind) this.#put(named)
    }
  }

  /** In a cluster there is one pod at least, our own. */
  #checkNode(): void {
    if (this.#pods.size > 0) return
    const hint = 'node.name must be the name of the Node object: in a DaemonSet, NODE_NAME from spec.nodeName.'
    this.#options.log.warn(`the API server knows no pod of node ${this.#options.node}`, { hint })
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
