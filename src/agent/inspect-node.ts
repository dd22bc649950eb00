/** A single scan of this node: its pods, their names according to the API server, and what the agent would capture. */
import type { Config } from '../config/schema.ts'
import { decide } from '../discovery/decide/decide.ts'
import type { Decisions } from '../discovery/decide/decision.ts'
import { type Joined, joinPods } from '../discovery/decide/join-pods.ts'
import { targetRules } from '../discovery/decide/target-rules.ts'
import { readOwnPod } from '../discovery/proc/own-pod.ts'
import { NodeScanner } from '../discovery/proc/scanner.ts'
import type { Snapshot } from '../discovery/proc/snapshot.ts'
import { prepareApiWatch } from './api-watch.ts'

/** How long to wait for the API server to list this node's pods. Milliseconds. */
const API_TIMEOUT_MS = 5000

export interface NodeReport {
  readonly snapshot: Snapshot
  readonly joined: Joined
  readonly decisions: Decisions
  /** Why the API server has not listed the pods, as a message; null: it has, or none is configured. */
  readonly apiProblem: string | null
}

/** @throws InterceptorError as NodeScanner, prepareApiWatch and targetRules do */
export async function inspectNode(config: Config): Promise<NodeReport> {
  const rules = targetRules(config, readOwnPod(process.env, config.targets.procRoot))
  const scanner = new NodeScanner(config.targets.procRoot)
  // Reports a missing privilege before waiting for the API server.
  scanner.scan()
  const ignore = (): void => {}
  const startApi = await prepareApiWatch({ ...config, kubernetes: { ...config.kubernetes, remoteNames: false } })
  const log = { info: ignore, warn: ignore }
  const api = startApi({ log, onPods: ignore, onRemote: ignore, onNetworks: ignore })
  try {
    await api.firstResponse(API_TIMEOUT_MS)
    const snapshot = scanner.scan()
    const joined = joinPods(snapshot.pods, api.pods())
    return { snapshot, joined, decisions: decide(snapshot, joined, rules), apiProblem: api.problem }
  } finally {
    await api.close()
  }
}
