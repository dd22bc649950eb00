/** One look at this node: what is on it, how the API server calls it, and what the agent would capture. */
import type { Config } from '../config/schema.ts'
import { decide } from '../discovery/decide/decide.ts'
import type { Decisions } from '../discovery/decide/decision.ts'
import { type Joined, joinPods } from '../discovery/decide/join-pods.ts'
import { targetRules } from '../discovery/decide/target-rules.ts'
import { readOwnPod } from '../discovery/proc/own-pod.ts'
import { NodeScanner } from '../discovery/proc/scanner.ts'
import type { Snapshot } from '../discovery/proc/snapshot.ts'
import { prepareApiWatch } from './api-watch.ts'

/** How long the API server may take to tell this node's pods. Milliseconds. */
const ANSWER_MS = 5000

export interface NodeView {
  readonly snapshot: Snapshot
  readonly joined: Joined
  readonly decisions: Decisions
  /** Why the API server told nothing, for people; null: it did, or none is to be asked. */
  readonly apiProblem: string | null
}

/** @throws InterceptorError as NodeScanner, prepareApiWatch and targetRules do */
export async function viewNode(config: Config): Promise<NodeView> {
  const rules = targetRules(config, readOwnPod(process.env, config.targets.procRoot))
  const scanner = new NodeScanner(config.targets.procRoot)
  // First: what this process may not do at all is to be told at once.
  scanner.scan()
  const nothing = (): void => {}
  const startApi = await prepareApiWatch({ ...config, kubernetes: { ...config.kubernetes, remoteNames: false } })
  const log = { info: nothing, warn: nothing }
  const api = startApi({ log, onPods: nothing, onRemote: nothing, onNetworks: nothing })
  try {
    await api.firstAnswer(ANSWER_MS)
    const snapshot = scanner.scan()
    const joined = joinPods(snapshot.pods, api.pods())
    return { snapshot, joined, decisions: decide(snapshot, joined, rules), apiProblem: api.problem }
  } finally {
    await api.close()
  }
}
