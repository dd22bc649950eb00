/**
 * The node agent. What is captured on the node is in node-capture.ts; the pipeline captures, pairs and ships; the admin
 * server serves metrics and health; and the configuration can be reloaded. Main thread; the hot path is in workers.
 */
import { type AdminServer, serveAdmin } from '../admin/server.ts'
import type { AgentState } from '../admin/state.ts'
import type { LoadedConfig } from '../config/load.ts'
import { ConfigReloader } from '../config/reload-watcher.ts'
import type { Config } from '../config/schema.ts'
import { targetRules } from '../discovery/decide/target-rules.ts'
import { readOwnPod } from '../discovery/proc/own-pod.ts'
import { NodeScanner } from '../discovery/proc/scanner.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { Logger } from '../log/logger.ts'
import type { Outcome, OutputOptions, TargetFailure, TargetPipeline } from '../supervisor/options.ts'
import { startPipeline } from '../supervisor/pipeline.ts'
import { lowerPriority } from '../sys/priority.ts'
import { prepareApiWatch } from './api-watch.ts'
import { NodeCapture, type NodeCaptureParts } from './node-capture.ts'

/** How often the log writes its counts of folded lines. */
const LOG_FLUSH_MS = 10_000

export interface AgentOptions {
  readonly loaded: LoadedConfig
  /** The file that it was read from; undefined: none. */
  readonly file: string | undefined
  /** Loads the configuration again, from the same sources. */
  readonly load: () => Promise<LoadedConfig>
  readonly output: OutputOptions
  readonly log: Logger
}

/** Parts that are prepared before anything is started. */
type Prepared = Pick<NodeCaptureParts, 'own' | 'rules' | 'scanner' | 'startApi'>

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
  readonly #pipeline: TargetPipeline
  readonly #node: NodeCapture
  readonly #reloader: ConfigReloader
  readonly #began = performance.now()
  #admin: AdminServer | null = null
  #denied: TargetFailure | null = null
  #draining = false

  constructor(options: AgentOptions, prepared: Prepared) {
    const { loaded, file, load, output, log } = options
    const { config } = loaded
    this.#log = log
    const input = { kind: 'targets' as const }
    const { socket } = config.tap
    const tap = socket === '' ? {} : { tap: socket }
    this.#pipeline = startPipeline({ config, input, output, limit: null, all: false, ...tap, log, onProgress: null })
    const onDenied = (failure: TargetFailure): void => this.#deny(failure)
    this.#node = new NodeCapture({ ...prepared, config, pipeline: this.#pipeline, log, onDenied })
    this.#reloader = new ConfigReloader({
      loaded,
      file,
      load,
      log,
      apply: (next, changed) => this.#apply(next, changed),
    })
    this.done = this.#run()
  }

  /** Serves metrics and health. @throws InterceptorError when it cannot listen there */
  async serve(): Promise<void> {
    this.#admin = await serveAdmin(this.#config.admin.address, () => this.state(), this.#log)
    if (this.#admin !== null) this.#log.info('metrics and health are served', { url: this.#admin.url })
  }

  /** The state that metrics and health report. */
  state(): AgentState {
    const { node, tap } = this.#config
    const observation = this.#pipeline.observe()
    return {
      node: node.name,
      uptimeMs: performance.now() - this.#began,
      observation,
      ...this.#node.state(observation),
      reload: this.#reloader.state,
      tapSocket: observation.tap.open ? tap.socket : null,
      draining: this.#draining,
    }
  }

  /** The counts so far. */
  get ledger(): Ledger {
    return this.#pipeline.ledger
  }

  /** Loads the configuration again, as SIGHUP does. */
  reload(): void {
    void this.#reloader.reload()
  }

  /** Stops capturing and finishes what is in the pipeline, in stream order. */
  drain(): void {
    this.#draining = true
    this.#node.stop()
    this.#pipeline.drain()
  }

  /** Ends at once; losses are counted. */
  stop(): void {
    this.#draining = true
    this.#node.stop()
    this.#pipeline.stop()
  }

  get #config(): Config {
    return this.#reloader.current.config
  }

  async #run(): Promise<Outcome> {
    const flushing = setInterval(() => this.#log.flush(), LOG_FLUSH_MS)
    this.#reloader.start()
    const ended = this.#pipeline.done
    await this.#node.start(ended)
    const outcome = await ended
    this.#node.stop()
    this.#reloader.stop()
    clearInterval(flushing)
    await Promise.all([this.#node.close(), this.#admin?.close()])
    return this.#denied === null ? outcome : { ...outcome, exitCode: this.#denied.exitCode, failure: this.#denied }
  }

  #deny(failure: TargetFailure): void {
    this.#denied ??= failure
    this.stop()
  }

  /** Applies a reloaded configuration. @throws InterceptorError before any change is made */
  #apply(config: Config, changed: readonly string[]): void {
    this.#node.apply(config, changed)
    if (changed.some((path) => path.startsWith('filter.'))) this.#pipeline.setFilter(config.filter)
    if (changed.includes('log.level')) this.#log.setLevel(config.log.level)
  }
}
