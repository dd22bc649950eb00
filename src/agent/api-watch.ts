/** The agent's connection to the API server: what it reports while the agent runs, and its state. Main thread. */

import { setTimeout as pause } from 'node:timers/promises'
import type { WatchReport } from '../admin/state.ts'
import type { Config } from '../config/schema.ts'
import type { WatchState } from '../discovery/kubernetes/collection.ts'
import type { KnownPod } from '../discovery/kubernetes/known-pod.ts'
import type { PodWatch, RemoteChange } from '../discovery/kubernetes/pod-watch.ts'
import type { Logger } from '../log/logger.ts'

/** How often `firstResponse` polls. */
const POLL_MS = 20

export interface ApiWatchOptions {
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** Called when a pod of this node has changed. */
  readonly onPods: () => void
  /** Called for each change of a remote pod or a Service. */
  readonly onRemote: (change: RemoteChange) => void
  /** Called when the cluster's networks have changed. */
  readonly onNetworks: () => void
}

/** Starts watching the API server. */
export type StartApiWatch = (options: ApiWatchOptions) => ApiWatch

/**
 * Finds the API server of the configuration without connecting to it. Without one, the watch stays empty.
 *
 * @throws InterceptorError (EXIT_USAGE): `kubernetes.enabled` is true but no API server is configured, or the kubeconfig
 * cannot be used
 */
export async function prepareApiWatch({ kubernetes, node, targets }: Config): Promise<StartApiWatch> {
  // Imported on demand: a run without an API server needs none of it.
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

/** The API server's view of this node and its state; empty without an API server. */
export class ApiWatch {
  readonly #watch: PodWatch | null

  /** @param watch null: there is no API server */
  constructor(watch: PodWatch | null) {
    this.#watch = watch
  }

  /** Whether there is an API server. */
  get isConfigured(): boolean {
    return this.#watch !== null
  }

  /** The pods of this node that it has reported. */
  pods(): readonly KnownPod[] {
    return [...(this.#watch?.pods.values() ?? [])]
  }

  /** The cluster's networks, CIDRs. */
  networks(): readonly string[] {
    return this.#watch?.clusterNetworks() ?? []
  }

  /** Why it has not listed this node's pods yet; null: it has, or there is no API server. */
  get problem(): string | null {
    if (this.#watch === null || this.#watch.state.synced) return null
    return this.#watch.state.lastError ?? 'the API server has not responded yet'
  }

  /** Resolves when this node's pods are listed, when the first attempt has failed, or after a time. Milliseconds. */
  async firstResponse(timeoutMs: number): Promise<void> {
    const end = performance.now() + timeoutMs
    while (this.problem !== null && this.#watch?.state.lastError === null && performance.now() < end) {
      await pause(POLL_MS)
    }
  }

  states(): WatchReport[] {
    if (this.#watch === null) return []
    const { state, pods, remote } = this.#watch
    const own = stateOf('pods', state, pods.size)
    if (remote === null) return [own]
    const others = stateOf('remotePods', remote.state.pods, remote.pods.size)
    return [own, others, stateOf('services', remote.state.services, remote.services.size)]
  }

  async close(): Promise<void> {
    await this.#watch?.close()
  }
}

function stateOf(resource: string, state: WatchState, objects: number): WatchReport {
  const { synced, connected, restarts, lastEventMs } = state
  const age = lastEventMs === null ? null : performance.now() - lastEventMs
  return { resource, synced, connected, restarts, lastEventMs: age, objects }
}
