/**
 * What is captured on this node: discovery decides, the API server names, the pipeline's captures follow, and assemblers
 * learn addresses and which vantages are kept. Main thread.
 */
import { NAMES_GRACE_MS } from '../admin/health.ts'
import { type AgentState, type DiscoveryState, tallyPods } from '../admin/state.ts'
import type { Config } from '../config/schema.ts'
import { AddressDirectory } from '../discovery/addresses/directory.ts'
import { applyRemoteChange } from '../discovery/addresses/sources.ts'
import type { PodDecision, TargetRules } from '../discovery/decide/decision.ts'
import { internalCidrs } from '../discovery/decide/internal-cidrs.ts'
import { nothingCaptured } from '../discovery/decide/nothing-captured.ts'
import { neededFacts } from '../discovery/decide/selection.ts'
import { targetRules } from '../discovery/decide/target-rules.ts'
import type { OwnPod } from '../discovery/proc/own-pod.ts'
import type { NodeScanner } from '../discovery/proc/scanner.ts'
import type { Observation } from '../ledger/observation.ts'
import type { Logger } from '../log/logger.ts'
import type { TargetFailure, TargetPipeline } from '../supervisor/options.ts'
import type { VantagePolicy } from '../target/interface-info.ts'
import type { ApiWatch, StartApiWatch } from './api-watch.ts'
import { CaptureSet } from './capture-set.ts'
import { NodeDiscovery } from './node-discovery.ts'
import { podsSeen } from './pods-seen.ts'

/** How long a pod waits for its name before it is captured without one. */
const NAMES_TIMEOUT_MS = 5000
const MS_PER_SECOND = 1000
const MICROS_PER_MILLI = 1000

export interface NodeCaptureParts {
  readonly config: Config
  readonly own: OwnPod
  /** The rules of the configuration's section `targets`. */
  readonly rules: TargetRules
  readonly scanner: NodeScanner
  readonly startApi: StartApiWatch
  readonly pipeline: Pick<TargetPipeline, 'add' | 'update' | 'remove' | 'setAddresses' | 'setPolicy'>
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** Called when a privilege is missing without which nothing can be captured. */
  readonly onDenied: (failure: TargetFailure) => void
}

/** Discovery, the API server and the captures of this node, connected. */
export class NodeCapture {
  readonly #parts: NodeCaptureParts
  readonly #captures: CaptureSet
  readonly #discovery: NodeDiscovery
  readonly #api: ApiWatch
  readonly #began = performance.now()
  /** In effect. */
  #config: Config
  #rules: TargetRules
  #policy: VantagePolicy | null = null
  /** Why nothing is captured; null: something is, or the node was not scanned yet. */
  #nothing: string | null = null
  #stopped = false
  /** Whether all pods found at the start were captured, or could not be. Stays true once it is. */
  #started = false

  constructor(parts: NodeCaptureParts) {
    const { config, rules, scanner, startApi, pipeline, log, onDenied } = parts
    const directory = new AddressDirectory()
    this.#parts = parts
    this.#config = config
    this.#rules = rules
    this.#captures = new CaptureSet({ pipeline, log, onDenied })
    this.#discovery = new NodeDiscovery({
      scanner,
      rules,
      captures: this.#captures,
      directory,
      knownPods: () => this.#api.pods(),
      setAddresses: (entries) => pipeline.setAddresses(entries),
      onChange: () => this.#podsChanged(),
      log,
    })
    this.#api = startApi({
      log,
      onPods: () => this.#discovery.scanSoon(),
      onRemote: (change) => {
        applyRemoteChange(directory, change, Date.now() * MICROS_PER_MILLI)
        this.#discovery.addressesChanged()
      },
      onNetworks: () => this.#updatePolicy(),
    })
  }

  /** Starts discovery once pods can be named, after a time at the latest. @param ended resolves when there is no need any more */
  async start(ended: Promise<unknown>): Promise<void> {
    const { log } = this.#parts
    await Promise.race([this.#api.firstResponse(NAMES_TIMEOUT_MS), ended])
    this.#warnOfRules()
    if (this.#api.problem !== null) {
      log.warn('pods are captured without names until the API server reports them', { error: this.#api.problem })
    }
    if (!this.#stopped) this.#discovery.start()
  }

  /** Nothing is opened or closed any more. */
  stop(): void {
    this.#stopped = true
    this.#discovery.stop()
  }

  close(): Promise<void> {
    return this.#api.close()
  }

  /**
   * Applies a reloaded configuration.
   *
   * @param changed dotted paths
   * @throws InterceptorError before any change is made
   */
  apply(config: Config, changed: readonly string[]): void {
    const rules = targetRules(config, this.#parts.own)
    this.#config = config
    this.#rules = rules
    if (changed.some((path) => path.startsWith('targets.'))) this.#discovery.setRules(rules)
    this.#updatePolicy()
  }

  state(
    observation: Observation,
  ): Pick<AgentState, 'start' | 'nothingCaptured' | 'discovery' | 'readPods' | 'watches'> {
    const { pods } = this.#discovery.decisions
    return {
      start: { opening: this.#captures.opening, done: this.#isStarted() },
      nothingCaptured: this.#nothing,
      discovery: this.#discoveryState(),
      readPods: () => podsSeen(pods, observation),
      watches: this.#api.states(),
    }
  }

  #discoveryState(): DiscoveryState | null {
    const { tally, snapshot, decisions } = this.#discovery
    return (
      snapshot && {
        scans: tally.scans,
        failures: tally.failures,
        scanSeconds: tally.ms / MS_PER_SECOND,
        scanCpuSeconds: tally.cpuSeconds,
        lastScanSeconds: tally.lastMs / MS_PER_SECOND,
        lastScanAgeMs: performance.now() - tally.lastAt,
        processes: snapshot.processes,
        processesDenied: snapshot.denied,
        pods: tallyPods(decisions.pods.map(tallied)),
      }
    )
  }

  #isStarted(): boolean {
    const isNamed = this.#api.problem === null || performance.now() - this.#began > NAMES_GRACE_MS
    this.#started ||= isNamed && this.#discovery.isCurrent && this.#captures.opening === 0
    return this.#started
  }

  #warnOfRules(): void {
    if (this.#api.isConfigured || neededFacts(this.#rules) === null) return
    const { log } = this.#parts
    log.warn('targets has rules about namespaces or labels, but there is no API server: no pod is captured', {
      hint: 'Run in a pod with a service account, or set kubernetes.kubeconfig.',
    })
  }

  #podsChanged(): void {
    this.#updatePolicy()
    const { snapshot, decisions } = this.#discovery
    const nothing = snapshot && nothingCaptured(snapshot, decisions, this.#rules)
    const before = this.#nothing
    this.#nothing = nothing?.why ?? null
    if (nothing !== null && nothing.why !== before) {
      this.#parts.log.warn(`nothing is captured: ${nothing.why}`, { hint: nothing.hint })
    }
  }

  /** Sets which vantages are kept, if that has changed. */
  #updatePolicy(): void {
    const { snapshot } = this.#discovery
    if (snapshot === null) return
    const { targets } = this.#config
    const networks = internalCidrs(targets.clusterNetworks, this.#api.networks(), snapshot)
    const policy = { keep: targets.keep, clusterNetworks: networks }
    if (JSON.stringify(policy) === JSON.stringify(this.#policy)) return
    this.#policy = policy
    this.#parts.pipeline.setPolicy(policy)
  }
}

const tallied = ({ mesh, ambient, captures, reason }: PodDecision) => ({
  mesh: mesh?.name ?? (ambient ? 'istio' : null),
  captured: captures.length > 0,
  reason,
})
