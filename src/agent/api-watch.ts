/** The API server as the agent sees it: what it tells for as long as the agent runs, and how that goes. Main thread. */
import type { WatchState } from '../admin/state.ts'
import { pause } from '../async/pause.ts'
import type { Config } from '../config/schema.ts'
import type { WatchState as ListWatchState } from '../discovery/kubernetes/collection.ts'
import type { KnownPod } from '../discovery/kubernetes/known-pod.ts'
import type { PodWatch, RemoteChange } from '../discovery/kubernetes/pod-watch.ts'
import type { Logger } from '../log/logger.ts'

const LOOK_MS = 20

export interface ApiWatchOptions {
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** Something about this node's pods has changed. */
  readonly onPods: () => void
  readonly onRemote: (change: RemoteChange) => void
  /** The cluster's networks have changed. */
  readonly onNetworks: () => void
}

/** Begins to follow the API server. */
export type StartApiWatch = (options: ApiWatchOptions) => ApiWatch

/**
 * Finds the API server of the configuration, without asking it anything. Without one there is nothing to follow.
 *
 * @throws InterceptorError, exit 2: `kubernetes.enabled` is true and there is none, or the kubeconfig cannot be used
 */
export async function prepareApiWatch({ kubernetes, node, targets }: Config): Promise<StartApiWatch> {
  // Loaded only here: a run without an API server needs none of it.
  const { findApiServer } = await import('../discovery/kubernetes/access.ts')
  const access = await findApiServer(kubernetes)
  if (access === null) return () => new ApiWatch(null)
  const { PodWatch } = await import('../discovery/kubernetes/pod-watch.ts')
  const { remoteNames } = kubernetes
  const { clusterNetworks } = targets
  return ({ log, onPods, onRemote, onNetworks }) => {
    const callbacks = { onChange: onPods, onRemoteChange: onRemote, onNetworksChange: onNetworks }
    return new ApiWatch(new PodWatch({ access, node: node.name, remoteNames, clusterNetworks, log, ...callbacks }))
  }
}

export class ApiWatch {
  readonly #watch: PodWatch | null

  /** @param watch null: there is no API server to ask */
  constructor(watch: PodWatch | null) {
    this.#watch = watch
  }

  /** Whether there is an API server to ask. */
  get isAsked(): boolean {
    return this.#watch !== null
  }

  /** This node's, as far as it has told. */
  pods(): readonly KnownPod[] {
    return [...(this.#watch?.pods.values() ?? [])]
  }

  /** Of the cluster, CIDRs. */
  networks(): readonly string[] {
    return this.#watch?.clusterNetworks() ?? []
  }

  /** Why it has told nothing so far; null: it has, or there is none. */
  get problem(): string | null {
    if (this.#watch === null || this.#watch.state.synced) return null
    return this.#watch.state.lastError ?? 'the API server has not answered yet'
  }

  /** Resolves when this node's pods were told, when that failed once, or after a time. Milliseconds. */
  async firstAnswer(ms: number): Promise<void> {
    const end = performance.now() + ms
    while (this.problem !== null && this.#watch?.state.lastError === null && performance.now() < end) {
      await pause(LOOK_MS)
    }
  }

  states(): WatchState[] {
    if (this.#watch === null) return []
    const { state, pods, remote } = this.#watch
    const own = stateOf('pods', state, pods.size)
    if (remote === null) return [own]
    const { pods: others, services } = remote.state
    return [own, stateOf('remotePods', others, remote.size.pods), stateOf('services', services, remote.size.services)]
  }

  async close(): Promise<void> {
    await this.#watch?.close()
  }
}

function stateOf(resource: string, state: ListWatchState, objects: number): WatchState {
  const { synced, connected, restarts, lastEventMs } = state
  const age = lastEventMs === null ? null : Math.max(0, Date.now() - lastEventMs)
  return { resource, synced, connected, restarts, lastEventMs: age, objects }
}
