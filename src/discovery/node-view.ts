/** One look at this node: what is on it, how the API server calls it, and what would be captured. */
import type { Config } from '../config.ts'
import { decide } from './decide.ts'
import type { Decisions } from './decision.ts'
import { type Joined, joinPods } from './join.ts'
import { readOwnPod } from './own-pod.ts'
import { targetRules } from './rules.ts'
import { NodeScanner } from './scanner.ts'
import type { Snapshot } from './snapshot.ts'

export interface NodeView {
  readonly snapshot: Snapshot
  readonly joined: Joined
  readonly decisions: Decisions
  /** Why the API server told nothing, for people; null: it did, or none is to be asked. */
  readonly apiProblem: string | null
}

/** @throws InterceptorError as NodeScanner does */
export async function viewNode(config: Config): Promise<NodeView> {
  const snapshot = new NodeScanner(config.targets.procRoot).scan()
  const joined = joinPods(snapshot.pods, [])
  const decisions = decide(snapshot, joined, targetRules(config, readOwnPod(process.env, config.targets.procRoot)))
  return { snapshot, joined, decisions, apiProblem: null }
}
