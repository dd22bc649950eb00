/**
 * The node agent: discovery decides what is captured, the pipeline captures, pairs and ships it, the API server gives names,
 * metrics and health are served, and the configuration can change meanwhile. Main thread; what is hot is in workers.
 */
import { type AdminServer, serveAdmin } from '../admin/server.ts'
import { type AgentState, tallyPods } from '../admin/state.ts'
import type { LoadedConfig } from '../config/load.ts'
import { ConfigReloader } from '../config/reload-watcher.ts'
import type { Config } from '../config/schema.ts'
import { AddressDirectory } from '../discovery/addresses/directory.ts'
import { followRemote } from '../discovery/addresses/remote.ts'
import type { PodDecision, TargetRules } from '../discovery/decide/decision.ts'
import { clusterNetworks } from '../discovery/decide/internal-networks.ts'
import { neededFacts } from '../discovery/decide/selection.ts'
import { targetRules } from '../discovery/decide/target-rules.ts'
import { type OwnPod, readOwnPod } from '../discovery/proc/own-pod.ts'
import { NodeScanner } from '../discovery/proc/scanner.ts'
import type { Logger } from '../log/logger.ts'
import type { Outcome, OutputOptions, TargetFailure, TargetPipeline } from '../supervisor/options.ts'
import { startPipeline } from '../supervisor/pipeline.ts'
import type { VantagePolicy } from '../target/interface-info.ts'
import { type ApiWatch, prepareApiWatch, type StartApiWatch } from './api-watch.ts'
import { CaptureSet } from './capture-set.ts'
import { NodeDiscovery } from './node-discovery.ts'

/** So long pods wait for what the API server says of them before they are captured without. Milliseconds. */
const NAMES_MS = 5000
/** How often records that the log holds back are written. Milliseconds. */
const FLUSH_MS = 10_000
const MS_PER_SECOND = 1000
const MICROS_PER_MILLI = 1000

export interface AgentOptions {
  readonly loaded: LoadedConfig
  /** The file it was read from; undefined: none. */
  readonly file: string | undefined
  /** Reads the configuration again in the same way. */
  readonly load: () => Promise<LoadedConfig>
  readonly output: OutputOptions
  readonly log: Logger
}

/** What is known before anything runs. */
interface Foundation {
  readonly own: OwnPod
  readonly rules: TargetRules
  readonly scanner: NodeScanner
  readonly startApi: StartApiWatch
}

/**
 * Starts an agent. It runs until it is drained or stopped, or cannot go on.
 *
 * @throws InterceptorError: the configuration is wrong (exit 2), a privilege is missing (exit 4), or the admin server's
 *   address is taken (exit 1); nothing is left running then
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { config } = options.loaded
  const own = readOwnPod(process.env, config.targets.procRoot)
  const rules = targetRules(config, own)
  const scanner = new NodeScanner(config.targets.procRoot)
  scanner.scan()
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

export class Agent {
  /** Resolves when everything is flushed and has ended; does not reject. */
  readonly done: Promise<Outcome>
  readonly #log: Logger
  readonly #own: OwnPod
  readonly #directory = new AddressDirectory()
  readonly #pipeline: TargetPipeline
  readonly #discovery: NodeDiscovery
  readonly #api: ApiWatch
  readonly #reloader: ConfigReloader
  readonly #flushing: NodeJS.Timeout
  readonly #began = performance.now()
  #admin: AdminServer | null = null
  #denied: TargetFailure | null = null
  #draining = false
  #policy: VantagePolicy | null = null

  constructor(options: AgentOptions, { own, rules, scanner, startApi }: Foundation) {
    const { loaded, file, load, output, log } = options
    const { config } = loaded
    this.#log = log
    this.#own = own
    const input = { kind: 'targets' as const }
    this.#pipeline = startPipeline({ config, input, output, limit: null, all: false, log, onProgress: null })
    const captures = new CaptureSet({ pipeline: this.#pipeline, log, onDenied: (failure) => this.#deny(failure) })
    this.#discovery = new NodeDiscovery({
      scanner,
      rules,
      captures,
      directory: this.#directory,
      knownPods: () => this.#api.pods(),
      setAddresses: (entries) => this.#pipeline.setAddresses(entries),
      onChange: () => this.#tellPolicy(),
      log,
    })
    this.#api = startApi({
      log,
      onPods: () => this.#discovery.nudge(),
      onRemote: (change) => {
        followRemote(this.#directory, change, Date.now() * MICROS_PER_MILLI)
        this.#discovery.addressesChanged()
      },
      onNetworks: () => this.#tellPolicy(),
    })
    this.#reloader = new ConfigReloader({
      loaded,
      file,
      load,
      log,
      apply: (next, changed) => this.#apply(next, changed),
    })
    this.#flushing = setInterval(() => log.flush(), FLUSH_MS)
    this.done = this.#run()
  }

  /** Serves metrics and health. @throws InterceptorError when it cannot listen there */
  async serve(): Promise<void> {
    this.#admin = await serveAdmin(this.#config.admin.address, () => this.state(), this.#log)
    if (this.#admin !== null) this.#log.info('metrics and health are served', { url: this.#admin.url })
  }

  /** What metrics and health are made of. */
  state(): AgentState {
    const { tally, snapshot, decisions } = this.#discovery
    const now = performance.now()
    return {
      node: this.#config.node.name,
      uptimeMs: now - this.#began,
      observation: this.#pipeline.observe(),
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
      watches: this.#api.states(),
      reload: this.#reloader.state,
      draining: this.#draining,
    }
  }

  /** Takes no more input; what is there is finished in stream order. */
  drain(): void {
    this.#draining = true
    this.#discovery.stop()
    this.#pipeline.drain()
  }

  /** Ends at once; what is lost is counted. */
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
    await Promise.race([this.#api.firstAnswer(NAMES_MS), ended])
    this.#warnOfRules()
    if (this.#api.problem !== null) {
      this.#log.warn('pods are captured without names until the API server tells them', { error: this.#api.problem })
    }
    if (!this.#draining) this.#discovery.start()
    const outcome = await ended
    this.#discovery.stop()
    this.#reloader.stop()
    clearInterval(this.#flushing)
    await Promise.all([this.#api.close(), this.#admin?.close()])
    return this.#denied === null ? outcome : { ...outcome, exitCode: this.#denied.exitCode, failure: this.#denied }
  }

  #warnOfRules(): void {
    if (this.#api.isAsked || neededFacts(targetRules(this.#config, this.#own)) === null) return
    this.#log.warn('targets has rules about namespaces or labels, and no API server is asked: no pod is captured', {
      hint: 'run it in a pod with a service account, or set kubernetes.kubeconfig',
    })
  }

  #deny(failure: TargetFailure): void {
    this.#denied ??= failure
    this.stop()
  }

  /** @throws InterceptorError before anything has changed */
  #apply(config: Config, changed: readonly string[]): void {
    const rules = targetRules(config, this.#own)
    if (changed.some((path) => path.startsWith('filter.'))) this.#pipeline.setFilter(config.filter)
    if (changed.some((path) => path.startsWith('targets.'))) this.#discovery.setRules(rules)
    if (changed.includes('log.level')) this.#log.setLevel(config.log.level)
    this.#tellPolicy(config)
  }

  /** Which vantages are kept, where that has changed. */
  #tellPolicy({ targets }: Config = this.#config): void {
    const { snapshot } = this.#discovery
    if (snapshot === null) return
    const networks = clusterNetworks(targets.clusterNetworks, this.#api.networks(), snapshot)
    const policy = { keep: targets.keep, clusterNetworks: networks }
    if (JSON.stringify(policy) === JSON.stringify(this.#policy)) return
    this.#policy = policy
    this.#pipeline.setPolicy(policy)
  }
}

const tallied = ({ mesh, ambient, capture, reason }: PodDecision) => ({
  mesh: mesh?.name ?? (ambient ? 'istio' : null),
  captured: capture !== null,
  reason,
})
