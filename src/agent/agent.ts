/**
 * The node agent. Discovery decides what is captured; the pipeline captures, pairs and ships; the API server provides
 * names; the admin server serves metrics and health; and the configuration can be reloaded. Main thread; the hot path
 * is in workers.
 */
import { NAMES_GRACE_MS } from '../admin/health.ts'
import { type AdminServer, serveAdmin } from '../admin/server.ts'
import { type AgentState, tallyPods } from '../admin/state.ts'
import type { LoadedConfig } from '../config/load.ts'
import { ConfigReloader } from '../config/reload-watcher.ts'
import type { Config } from '../config/schema.ts'
import { AddressDirectory } from '../discovery/addresses/directory.ts'
import { applyRemoteChange } from '../discovery/addresses/sources.ts'
import type { PodDecision, TargetRules } from '../discovery/decide/decision.ts'
import { internalCidrs } from '../discovery/decide/internal-cidrs.ts'
import { nothingCaptured } from '../discovery/decide/nothing-captured.ts'
import { neededFacts } from '../discovery/decide/selection.ts'
import { targetRules } from '../discovery/decide/target-rules.ts'
import { type OwnPod, readOwnPod } from '../discovery/proc/own-pod.ts'
import { NodeScanner } from '../discovery/proc/scanner.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Logger } from '../log/logger.ts'
import type { Outcome, OutputOptions, TargetFailure, TargetPipeline } from '../supervisor/options.ts'
import { startPipeline } from '../supervisor/pipeline.ts'
import { lowerPriority } from '../sys/priority.ts'
import type { VantagePolicy } from '../target/interface-info.ts'
import { type ApiWatch, prepareApiWatch, type StartApiWatch } from './api-watch.ts'
import { CaptureSet } from './capture-set.ts'
import { NodeDiscovery } from './node-discovery.ts'
import { podsSeen } from './pods-seen.ts'

/** How long a pod waits for its name before it is captured without one. */
const NAMES_TIMEOUT_MS = 5000
/** How often the log writes its counts of folded lines. */
const LOG_FLUSH_MS = 10_000
const MS_PER_SECOND = 1000
const MICROS_PER_MILLI = 1000

export interface AgentOptions {
  readonly loaded: LoadedConfig
  /** The file that it was read from; undefined: none. */
  readonly file: string | undefined
  /** Loads the configuration again, from the same sources. */
  readonly load: () => Promise<LoadedConfig>
  readonly output: OutputOptions
  readonly log: Logger
}

/** What is prepared before anything is started. */
interface Prepared {
  readonly own: OwnPod
  readonly rules: TargetRules
  readonly scanner: NodeScanner
  readonly startApi: StartApiWatch
}

/**
 * Starts an agent. It runs until it is drained or stopped, or fails.
 *
 * @throws InterceptorError: the configuration is invalid (EXIT_USAGE), a privilege is missing (EXIT_PRIVILEGE), or the admin
 * server's address is in use (EXIT_RUNTIME); nothing is left running then
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { config } = options.loaded
  const own = readOwnPod(process.env, config.targets.procRoot)
  const rules = targetRules(config, own)
  const scanner = new NodeScanner(config.targets.procRoot)
  scanner.scan()
  for (const problem of lowerPriority(config.priority)) options.log.warn('the priority cannot be lowered', { problem })
  const startApi = await prepareApiWatch(config)
  const agent = new Agent(options, { own, rules, scanner, startApi })
  try {
    await agent.serve()
  } catch (error) {
    agent.stop()
    await agent.done
    throw error
  }
  return agent
}

/** A running agent. */
export class Agent {
  /** Resolves when everything is flushed and has ended; never rejects. */
  readonly done: Promise<Outcome>
  readonly #log: Logger
  readonly #own: OwnPod
  readonly #directory = new AddressDirectory()
  readonly #pipeline: TargetPipeline
  readonly #captures: CaptureSet
  readonly #discovery: NodeDiscovery
  readonly #api: ApiWatch
  readonly #reloader: ConfigReloader
  readonly #flushing: NodeJS.Timeout
  readonly #began = performance.now()
  readonly #tapSocket: string | null
  #admin: AdminServer | null = null
  #denied: TargetFailure | null = null
  #draining = false
  /** Whether all pods found at the start were captured, or could not be. Stays true once it is. */
  #started = false
  #policy: VantagePolicy | null = null
  /** Why nothing is captured; null: something is, or the node was not scanned yet. */
  #nothing: string | null = null

  constructor(options: AgentOptions, { own, rules, scanner, startApi }: Prepared) {
    const { loaded, file, load, output, log } = options
    const { config } = loaded
    this.#log = log
    this.#own = own
    const input = { kind: 'targets' as const }
    const { socket } = config.tap
    this.#tapSocket = socket === '' ? null : socket
    const tap = socket === '' ? {} : { tap: socket }
    this.#pipeline = startPipeline({ config, input, output, limit: null, all: false, ...tap, log, onProgress: null })
    this.#captures = new CaptureSet({ pipeline: this.#pipeline, log, onDenied: (failure) => this.#deny(failure) })
    this.#discovery = new NodeDiscovery({
      scanner,
      rules,
      captures: this.#captures,
      directory: this.#directory,
      knownPods: () => this.#api.pods(),
      setAddresses: (entries) => this.#pipeline.setAddresses(entries),
      onChange: () => this.#podsChanged(),
      log,
    })
    this.#api = startApi({
      log,
      onPods: () => this.#discovery.scanSoon(),
      onRemote: (change) => {
        applyRemoteChange(this.#directory, change, Date.now() * MICROS_PER_MILLI)
        this.#discovery.addressesChanged()
      },
      onNetworks: () => this.#updatePolicy(),
    })
    this.#reloader = new ConfigReloader({
      loaded,
      file,
      load,
      log,
      apply: (next, changed) => this.#apply(next, changed),
    })
    this.#flushing = setInterval(() => log.flush(), LOG_FLUSH_MS)
    this.done = this.#run()
  }

  /** Serves metrics and health. @throws InterceptorError when it cannot listen there */
  async serve(): Promise<void> {
    this.#admin = await serveAdmin(this.#config.admin.address, () => this.state(), this.#log)
    if (this.#admin !== null) this.#log.info('metrics and health are served', { url: this.#admin.url })
  }

  /** The state that metrics and health report. */
  state(): AgentState {
    const { tally, snapshot, decisions } = this.#discovery
    const now = performance.now()
    const observation = this.#pipeline.observe()
    return {
      node: this.#config.node.name,
      uptimeMs: now - this.#began,
      observation,
      start: { opening: this.#captures.opening, done: this.#isStarted() },
      nothingCaptured: this.#nothing,
      discovery: snapshot && {
        scans: tally.scans,
        failures: tally.failures,
        scanSeconds: tally.ms / MS_PER_SECOND,
        scanCpuSeconds: tally.cpuSeconds,
        lastScanSeconds: tally.lastMs / MS_PER_SECOND,
        lastScanAgeMs: now - tally.lastAt,
        processes: snapshot.processes,
        processesDenied: snapshot.denied,
        pods: tallyPods(decisions.pods.map(tallied)),
      },
      readPods: () => podsSeen(decisions.pods, observation),
      watches: this.#api.states(),
      reload: this.#reloader.state,
      tapSocket: this.#tapSocket,
      draining: this.#draining,
    }
  }

  /** The counts so far. */
  get ledger(): Ledger {
    return this.#pipeline.ledger
  }

  /** Stops capturing and finishes what is in the pipeline, in stream order. */
  drain(): void {
    this.#draining = true
    this.#discovery.stop()
    this.#pipeline.drain()
  }

  /** Ends at once; losses are counted. */
  stop(): void {
    this.#draining = true
    this.#discovery.stop()
    this.#pipeline.stop()
  }

  get #config(): Config {
    return this.#reloader.current.config
  }

  async #run(): Promise<Outcome> {
    this.#reloader.start()
    const ended = this.#pipeline.done
    await Promise.race([this.#api.firstResponse(NAMES_TIMEOUT_MS), ended])
    this.#warnOfRules()
    if (this.#api.problem !== null) {
      this.#log.warn('pods are captured without names until the API server reports them', { error: this.#api.problem })
    }
    if (!this.#draining) this.#discovery.start()
    const outcome = await ended
    this.#discovery.stop()
    this.#reloader.stop()
    clearInterval(this.#flushing)
    await Promise.all([this.#api.close(), this.#admin?.close()])
    return this.#denied === null ? outcome : { ...outcome, exitCode: this.#denied.exitCode, failure: this.#denied }
  }

  #isStarted(): boolean {
    const isNamed = this.#api.problem === null || performance.now() - this.#began > NAMES_GRACE_MS
    this.#started ||= isNamed && this.#discovery.isCurrent && this.#captures.opening === 0
    return this.#started
  }

  #warnOfRules(): void {
    if (this.#api.isConfigured || neededFacts(targetRules(this.#config, this.#own)) === null) return
    this.#log.warn('targets has rules about namespaces or labels, but there is no API server: no pod is captured', {
      hint: 'Run in a pod with a service account, or set kubernetes.kubeconfig.',
    })
  }

  #podsChanged(): void {
    this.#updatePolicy()
    const { snapshot, decisions } = this.#discovery
    const nothing = snapshot && nothingCaptured(snapshot, decisions, targetRules(this.#config, this.#own))
    const before = this.#nothing
    this.#nothing = nothing?.why ?? null
    if (nothing !== null && nothing.why !== before) {
      this.#log.warn(`nothing is captured: ${nothing.why}`, { hint: nothing.hint })
    }
  }

  #deny(failure: TargetFailure): void {
    this.#denied ??= failure
    this.stop()
  }

  /** Applies a reloaded configuration. @throws InterceptorError before any change is made */
  #apply(config: Config, changed: readonly string[]): void {
    const rules = targetRules(config, this.#own)
    if (changed.some((path) => path.startsWith('filter.'))) this.#pipeline.setFilter(config.filter)
    if (changed.some((path) => path.startsWith('targets.'))) this.#discovery.setRules(rules)
    if (changed.includes('log.level')) this.#log.setLevel(config.log.level)
    this.#updatePolicy(config)
  }

  /** Sets which vantages are kept, if that has changed. */
  #updatePolicy({ targets }: Config = this.#config): void {
    const { snapshot } = this.#discovery
    if (snapshot === null) return
    const networks = internalCidrs(targets.clusterNetworks, this.#api.networks(), snapshot)
    const policy = { keep: targets.keep, clusterNetworks: networks }
    if (JSON.stringify(policy) === JSON.stringify(this.#policy)) return
    this.#policy = policy
    this.#pipeline.setPolicy(policy)
  }
}

const tallied = ({ mesh, ambient, captures, reason }: PodDecision) => ({
  mesh: mesh?.name ?? (ambient ? 'istio' : null),
  captured: captures.length > 0,
  reason,
})
