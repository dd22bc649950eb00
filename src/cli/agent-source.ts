/** The agent that runs on this machine, as a source of pairs: commands connect to its tap (docs/tap.md). */
import type { LoadedConfig } from '../config/load.ts'
import { usageError } from '../errors.ts'
import type { Printed, PrinterOptions } from '../tail/printer.ts'
import type { TapClient } from '../tap/client.ts'
import { type SelectFlags, selects } from './select.ts'
import { writeError } from './terminal.ts'

/** Options that choose between an agent and a topic. */
export interface AgentSourceFlags {
  /** The path of a tap's socket, or the URL of an admin server; true: the configured socket. */
  agent?: string | true
  config?: string
  brokers?: string
  topic?: string
  from?: unknown
  partition?: unknown
  offset?: unknown
  group?: unknown
  follow?: boolean
  quiet?: boolean
}

/** For commander's `option`. */
export const AGENT_OPTION = [
  '--agent [address]',
  'read the pairs that the agent on this machine ships, from now on; its tap.socket, or its admin.address as a URL (default: tap.socket)',
] as const

/**
 * Connects to the agent. It is the source if `--agent` is given, or if no option names a topic or a configuration file
 * and an agent is running here.
 *
 * @returns null if pairs are to be read from the topic
 * @throws InterceptorError: options exclude each other (EXIT_USAGE), there is no agent (EXIT_RUNTIME), or it is another
 *   user's (EXIT_PRIVILEGE)
 */
export async function findAgent(flags: AgentSourceFlags, { config }: LoadedConfig): Promise<TapClient | null> {
  const topicOption = namedTopicOption(flags)
  const { agent } = flags
  if (agent !== undefined && topicOption !== null) {
    throw usageError(`--agent and ${topicOption} exclude each other: pairs come from an agent or from a topic`)
  }
  if (agent === undefined && (topicOption !== null || flags.config !== undefined)) return null
  const url = adminUrlOf(flags)
  const path =
    url === undefined ? pathOf(agent, config) : await (await import('./agent-admin.ts')).fetchTapSocket(url, config)
  if (path === null || path === '') {
    if (agent === undefined) return null
    throw usageError('tap.socket is empty, so the agent has no tap to read')
  }
  const { TapClient } = await import('../tap/client.ts')
  try {
    return await TapClient.connect(path)
  } catch (error) {
    if (agent === undefined && config.kafka.brokers.length > 0) return null
    throw error
  }
}

/** The URL of `--agent`; undefined: it names none. */
export const adminUrlOf = ({ agent }: Pick<AgentSourceFlags, 'agent'>): string | undefined =>
  typeof agent === 'string' && agent.includes('://') ? agent : undefined

const pathOf = (agent: AgentSourceFlags['agent'], { tap }: LoadedConfig['config']): string =>
  typeof agent === 'string' ? agent : tap.socket

/** @returns the option that is about a topic; null: there is none */
function namedTopicOption({ brokers, topic, from, partition, offset, group, follow }: AgentSourceFlags): string | null {
  const options = { brokers, topic, from, partition, offset, group }
  const named = Object.entries(options).find(([, value]) => value !== undefined)
  return named === undefined ? (follow === false ? '--no-follow' : null) : `--${named[0]}`
}

/** A selection may match nothing that the agent ships. */
const RULES_FIRST =
  "only pairs that the agent's own rules let through can be selected: by default none with status 4xx or 5xx (filter.statuses)"

/** Prints what an agent ships, until it ends, and reports on standard error what is not shown. */
export function printAgent(
  flags: AgentSourceFlags & SelectFlags,
  client: TapClient,
): (options: PrinterOptions) => Promise<Printed> {
  const { quiet = false } = flags
  return async (options) => {
    const { tailAgent } = await import('../tail/tail-agent.ts')
    if (!quiet) writeError('showing the pairs that the agent ships; press Ctrl-C to stop\n')
    if (!quiet && selects(flags)) writeError(`${RULES_FIRST}\n`)
    const report = new NotShownReport(quiet)
    const printed = await tailAgent(client, { ...options, onNotShown: (pairs) => report.update(pairs) })
    report.end()
    const { closedBecause } = client
    if (!quiet && closedBecause !== null) writeError(`${closedBecause}\n`)
    return printed
  }
}

/** Between two lines about pairs that are not shown. */
const REPORT_MS = 1_000

/** Reports pairs that are not shown, at most once a second. */
class NotShownReport {
  readonly #quiet: boolean
  #pairs = 0
  #reported = 0
  #atMs = Number.NEGATIVE_INFINITY

  constructor(quiet: boolean) {
    this.#quiet = quiet
  }

  update(pairs: number): void {
    this.#pairs = pairs
    if (performance.now() - this.#atMs >= REPORT_MS) this.end()
  }

  /** Reports what was not reported yet. */
  end(): void {
    if (this.#quiet || this.#pairs === this.#reported) return
    this.#reported = this.#pairs
    this.#atMs = performance.now()
    writeError(`${this.#pairs} pairs not shown: they arrived faster than they could be printed\n`)
  }
}
