/** Feeds the page of `interceptor ui` with the pairs of files, interfaces, a topic or a running agent. Main thread. */
import { basename } from 'node:path'
import { advice } from '../admin/advice.ts'
import { interfaceTotals } from '../admin/interface-totals.ts'
import type { PodTraffic } from '../admin/pod-traffic.ts'
import type { LoadedConfig } from '../config/load.ts'
import { errorOf, errorText } from '../errors.ts'
import type { PairFormat } from '../format/output-format.ts'
import type { InterfaceObservation } from '../ledger/observation.ts'
import type { Logger } from '../log/logger.ts'
import { FdOutput } from '../output/fd-output.ts'
import { type PairSelection, PairSelector } from '../select/selector.ts'
import type { Outcome, PipelineHandle, PipelineInput } from '../supervisor/options.ts'
import type { PrinterOptions } from '../tail/printer.ts'
import type { SourceKind, TargetRow, TargetsView } from '../ui/protocol.ts'
import type { UiSource } from '../ui/source.ts'
import type { UiTraffic } from '../ui/traffic.ts'
import { fetchLedger, fetchPods } from './agent-admin.ts'
import { adminUrlOf, findAgent } from './agent-source.ts'
import type { SourceFlags, SourceName } from './sources.ts'
import { damageLines } from './summary.ts'
import { NOT_REPORTED, untilDrained } from './until-done.ts'

/** A source, and the work that reads its pairs. */
export interface Feed {
  readonly source: UiSource
  /**
   * Reads pairs until the source ends or `signal` is aborted, whichever comes first.
   *
   * @throws InterceptorError where the source fails before its first pair
   */
  run(signal: AbortSignal): Promise<void>
}

/** What every feed needs. */
export interface FeedParts {
  loaded: LoadedConfig
  selection: PairSelection | undefined
  traffic: UiTraffic
  log: Logger
}

/** Creates the feed of a source. It has not begun. */
export function createFeed(kind: SourceName, files: string[], flags: SourceFlags, parts: FeedParts): Feed {
  if (kind === 'topic') return topicFeed(flags, parts)
  if (kind === 'agent') return agentFeed(flags, parts)
  const names = [...new Set(flags.interface ?? [])]
  const input: PipelineInput =
    kind === 'files' ? { kind: 'files', paths: files, follow: false } : { kind: 'interfaces', names }
  return pipelineFeed(input, flags.count ?? null, parts)
}

const NO_TARGETS: TargetsView = { of: null, rows: [], leftOut: 0 }

const newSource = (kind: SourceKind, title: string, reports: Pick<UiSource, 'ledger' | 'targets'>): UiSource => ({
  kind,
  title,
  ended: false,
  failure: null,
  ...reports,
})

function pipelineFeed(input: PipelineInput, limit: number | null, parts: FeedParts): Feed {
  const { selection, traffic, log } = parts
  const { config } = parts.loaded
  let handle: PipelineHandle | null = null
  const isLive = input.kind === 'interfaces'
  const names = input.kind === 'files' ? input.paths.map((path) => basename(path)) : isLive ? input.names : []
  const source = newSource(isLive ? 'live' : 'file', names.join(', '), {
    ledger: async () => handle?.ledger ?? null,
    targets: async () =>
      isLive && handle !== null
        ? { of: 'interfaces', rows: handle.observe().interfaces.map(rowOfInterface), leftOut: 0 }
        : NO_TARGETS,
  })
  const run = async (signal: AbortSignal): Promise<void> => {
    const { startPipeline } = await import('../supervisor/pipeline.ts')
    handle = startPipeline({
      config,
      input,
      output: { format: 'none', file: null, decode: false, color: false, width: null, verbose: false },
      limit,
      all: true,
      ...(selection === undefined ? {} : { selection }),
      onPairs: (bytes, ends) => addAll(traffic, bytes, ends),
      log,
      onProgress: null,
    })
    conclude(await untilDrained(handle, config.shutdown.timeout, log, signal), source, traffic, log)
  }
  return { source, run }
}

function addAll(traffic: UiTraffic, bytes: Uint8Array, ends: readonly number[]): void {
  let start = 0
  for (const end of ends) {
    traffic.add(bytes.subarray(start, end))
    start = end
  }
}

function conclude(outcome: Outcome | null, source: UiSource, traffic: UiTraffic, log: Logger): void {
  source.ended = true
  if (outcome === null) {
    source.failure = NOT_REPORTED
    log.error(source.failure)
    return
  }
  const damage = damageLines(outcome)
  for (const line of damage) log.warn(line)
  source.failure = damage[0] ?? null
  const { failure } = outcome
  if (failure === null) return
  if (traffic.store.next === 0) throw errorOf(failure)
  source.failure = failure.message
  log.error(failure.message)
}

function rowOfInterface(one: InterfaceObservation): TargetRow {
  const seen = { ...interfaceTotals([one]), isCaptured: true, interfaces: [one.name], why: '', outputFails: false }
  return targetRow(one.name, { ...seen, advice: advice(seen) })
}

async function podsOf(url: string | undefined, config: LoadedConfig['config']): Promise<TargetsView> {
  const { pods, leftOut } = await fetchPods(url, config)
  const nameOf = ({ namespace, name, uid }: PodTraffic): string =>
    namespace === null ? (name ?? uid) : `${namespace}/${name ?? uid}`
  return { of: 'pods', rows: pods.map((pod) => targetRow(nameOf(pod), pod)), leftOut }
}

/** What was seen of an interface or a pod. */
type SeenTraffic = Omit<PodTraffic, 'uid' | 'namespace' | 'name' | 'hostNetwork' | 'why'>

function targetRow(name: string, seen: SeenTraffic): TargetRow {
  const { interfaces, frames, connections, serverNames, protocols, requests, pairs, abandoned, lastPairMicros } = seen
  return {
    name,
    interfaces,
    frames,
    connections,
    serverNames,
    protocols,
    requests,
    kept: pairs.kept,
    filtered: pairs.filtered,
    lost: { ...abandoned, ...pairs.dropped },
    lastPairMicros,
    advice: seen.advice,
  }
}

function topicFeed(flags: SourceFlags, parts: FeedParts): Feed {
  const { kafka } = parts.loaded.config
  const title = `${kafka.topic} at ${kafka.brokers.join(', ')}`
  const source = newSource('topic', title, { ledger: async () => null, targets: async () => NO_TARGETS })
  return readerFeed(source, flags, parts, async (options) => {
    const { tail } = await import('../tail/tail.ts')
    const { from = 'end', follow = true } = flags
    const range = { from, partitions: null, offset: null, group: null }
    await tail({ ...options, kafka, range, follow, log: parts.log, onWait: () => {} })
  })
}

function agentFeed(flags: SourceFlags, parts: FeedParts): Feed {
  const { loaded, traffic, log } = parts
  const url = adminUrlOf(flags)
  const source = newSource('agent', `the agent on ${loaded.config.node.name}`, {
    ledger: () => fetchLedger(url, loaded.config),
    targets: () => podsOf(url, loaded.config),
  })
  return readerFeed(source, flags, parts, async (options) => {
    const client = await findAgent(flags, loaded)
    if (client === null) return
    const { tailAgent } = await import('../tail/tail-agent.ts')
    const onNotShown = (pairs: number): void => {
      traffic.notReceived = pairs
    }
    await tailAgent(client, { ...options, onNotShown })
    if (client.closedBecause !== null) log.warn(client.closedBecause)
  })
}

/** Reads until the end of the source or the signal. */
type Read = (options: PrinterOptions) => Promise<void>

/** The feed of a source whose pairs are read on this thread. */
function readerFeed(source: UiSource, flags: SourceFlags, parts: FeedParts, read: Read): Feed {
  const { loaded, selection, traffic, log } = parts
  const run = async (signal: AbortSignal): Promise<void> => {
    const selector = await PairSelector.create(selection, loaded.config.filter.include)
    const output = new FdOutput(STANDARD_OUTPUT)
    try {
      await read({ limit: flags.count ?? null, selector, format: storing(traffic), output, signal })
    } catch (error) {
      if (traffic.store.next === 0) throw error
      source.failure = errorText(error)
      log.error(source.failure)
    }
    source.ended = true
  }
  return { source, run }
}

/** Nothing is written to it: the format below writes empty texts. */
const STANDARD_OUTPUT = 1

/** A format that writes nothing, and adds each pair to the traffic. */
const storing = (traffic: UiTraffic): PairFormat => ({
  begin: () => '',
  pair: (raw) => (traffic.add(raw) ? '' : new Error('not a pair')),
  end: () => '',
})
