/**
 * The ledger as metrics. Names follow from the ledger's paths: `pairs.kept` is interceptor_pairs_kept_total,
 * `frames.skipped.nonTcp` interceptor_frames_skipped_total{reason="nonTcp"}, `bytes.gap` interceptor_gap_bytes_total.
 *
 * The node's totals have no interface labels, include the counts of interfaces that no longer exist, and never decrease
 * while the process runs. In addition, each captured interface has interceptor_interface_… series of its own, which end
 * with it. These are separate metrics rather than labels of one metric: moving the count of a deleted interface to another
 * series would look like a burst in `sum(rate())`.
 */
import { ASSEMBLE_COUNTERS, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../ledger/counters.ts'
import { count, type Ledger } from '../ledger/ledger.ts'
import type { InterfaceObservation } from '../ledger/observation.ts'
import type { Metric, Sample } from './exposition.ts'

/** The ledger of one scrape, and the captured interfaces. */
export interface LedgerState {
  readonly ledger: Ledger
  readonly interfaces: readonly InterfaceObservation[]
}

/** Counts that can decrease. */
const GAUGES = new Set(['flows.open', 'requests.waiting', 'pairs.queued'])

/** The help text of each count, by its path without the reason. docs/ledger.md describes them in detail. */
const HELP_TEXTS: Readonly<Record<string, string>> = {
  'frames.seen': 'Frames delivered by the capture sources',
  'frames.queued': 'Packets queued for an assembler',
  'frames.consumed': 'Packets read by an assembler',
  'frames.lost': 'Packets queued for an assembler that were never processed, by reason',
  'frames.kernelShed': 'Estimated frames of connections shed by the kernel filter under overload',
  'frames.kernelDropped': 'Frames dropped by the kernel because its ring was full',
  'frames.skipped': 'Frames without a TCP packet, by reason',
  'frames.dropped': 'Frames dropped because a limit was reached, by reason',
  'frames.truncated': 'Frames truncated by the snap length within their TCP payload',
  'bytes.captured': 'Bytes of all frames seen',
  'interfaces.lost': 'Times a captured interface went down or was deleted',
  'interfaces.back': 'Times such an interface could be captured again',
  'flows.seen': 'TCP connections seen',
  'flows.open': 'TCP connections currently tracked',
  'flows.closed': 'TCP connections no longer tracked, by reason',
  'flows.leftOut': 'TCP connections left out because another capture point captures them, by reason',
  'flows.midstream': 'TCP connections first seen after their handshake',
  'flows.removedEarly': 'Closed TCP connections that were removed early, for lack of room',
  'flows.oneDirection': 'Closed TCP connections with data of which only one direction was captured',
  'flows.protocol': 'TCP connections by detected protocol',
  'segments.seen': 'TCP segments seen',
  'segments.outOfOrder': 'TCP segments held until earlier ones arrived',
  'segments.duplicate': 'TCP segments without new bytes',
  'segments.ignored': 'TCP segments of connections that are not tracked',
  'segments.afterEnd': 'TCP segments after the end of their connection or direction',
  'segments.inexactReset': 'RST segments without the exact sequence number, which receivers ignore',
  'segments.signature': 'TCP segments with an unexpected or missing signature, which receivers drop',
  'segments.noRoom': 'TCP segments behind a hole that did not fit into the pool',
  'gaps.acked': 'Gaps: the receiver acknowledged bytes that were not captured',
  'gaps.bound': 'Gaps: too many bytes were waiting behind the hole',
  'gaps.expired': 'Gaps: the hole was too old',
  'gaps.evicted': 'Gaps: the pool was full',
  'gaps.ended': 'Gaps: the connection ended before the hole was filled',
  'bytes.payload': 'Bytes of TCP payload, including retransmissions',
  'bytes.gap': 'Bytes missing in gaps',
  'bytes.http': 'Bytes of HTTP messages',
  'messages.requests': 'HTTP requests with a complete head',
  'messages.responses': 'Final HTTP responses with a complete head',
  'messages.interim': 'Interim HTTP responses (1xx), which are not part of a pair',
  'requests.waiting': 'Requests that wait for their response',
  'requests.abandoned': 'Requests without a pair, by reason',
  'responses.orphaned': 'Responses without a pair, by reason',
  'pairs.assembled': 'Requests paired with their response',
  'pairs.filtered': 'Pairs filtered by the configuration, by rule',
  'pairs.kept': 'Pairs that passed the filters',
  'pairs.dropped': 'Pairs dropped because a limit was reached, by reason',
  'pairs.queued': 'Pairs waiting for the output',
  'pairs.shipped': 'Pairs written to the output',
  'bytes.shipped': 'Bytes of the pairs written to the output',
}

/** The counts that one metric consists of: that of a path, or those of all its reasons. */
interface Group {
  /** Path without the reason: `frames.skipped`. */
  readonly base: string
  /** Reasons or protocol names; empty: a plain count. */
  readonly reasons: string[]
}

function groupsOf(paths: Iterable<string>): Group[] {
  const groups = new Map<string, Group>()
  for (const path of paths) {
    const [section, name, reason] = path.split('.')
    const base = `${section}.${name}`
    const group = groups.get(base) ?? { base, reasons: [] }
    if (reason !== undefined) group.reasons.push(reason)
    groups.set(base, group)
  }
  return [...groups.values()]
}

/** `interceptor_frames_kernel_dropped_total` for `frames.kernelDropped`; of one interface `interceptor_interface_frames_…`. */
function metricName(base: string, ofInterface: boolean): string {
  const [section, name] = base.split('.')
  const stem =
    section === 'bytes' ? `${name}_bytes` : ofInterface && section === 'interfaces' ? name : `${section}_${name}`
  const snake = stem.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return `interceptor_${ofInterface ? 'interface_' : ''}${snake}${GAUGES.has(base) ? '' : '_total'}`
}

const reasonLabel = ({ base, reasons }: Group): string[] =>
  reasons.length === 0 ? [] : [base === 'flows.protocol' ? 'protocol' : 'reason']

/** The paths of a group, with the values of its label. */
const members = ({ base, reasons }: Group): [string, string[]][] =>
  reasons.length === 0 ? [[base, []]] : reasons.map((reason) => [`${base}.${reason}`, [reason]])

const ALL_PATHS = new Set([CAPTURE_COUNTERS, ASSEMBLE_COUNTERS, SHIP_COUNTERS].flatMap(({ paths }) => paths))

/** The node's totals. */
export const LEDGER_METRICS: readonly Metric<LedgerState>[] = groupsOf(ALL_PATHS).map((group) => ({
  name: metricName(group.base, false),
  type: GAUGES.has(group.base) ? 'gauge' : 'counter',
  help: HELP_TEXTS[group.base] ?? group.base,
  labels: reasonLabel(group),
  read: ({ ledger }) => members(group).map(([path, labels]) => ({ labels, value: count(ledger, path) })),
}))

/** Labels of an interface. `netns`, the inode of its network namespace, distinguishes pods that have no name yet. */
export const INTERFACE_LABELS = ['interface', 'namespace', 'pod', 'netns'] as const

/** Most interfaces with series of their own; further ones are only in the totals. */
const MAX_LISTED = 1024

function interfaceLabels({ key, name, labels }: InterfaceObservation): string[] {
  const netns = key.includes('/') ? key.slice(0, key.indexOf('/')) : ''
  return [name, labels['namespace'] ?? '', labels['pod'] ?? '', netns]
}

/** The counts of each captured interface. */
export const INTERFACE_METRICS: readonly Metric<LedgerState>[] = groupsOf(CAPTURE_COUNTERS.paths).map((group) => ({
  name: metricName(group.base, true),
  type: 'counter',
  help: `${HELP_TEXTS[group.base] ?? group.base}; of one interface`,
  labels: [...reasonLabel(group), ...INTERFACE_LABELS],
  read: ({ interfaces }) => interfaces.slice(0, MAX_LISTED).flatMap((one) => interfaceSamples(group, one)),
}))

function interfaceSamples(group: Group, one: InterfaceObservation): Sample[] {
  const shared = interfaceLabels(one)
  const { layout, values } = one.block
  return members(group).map(([path, labels]) => ({
    labels: [...labels, ...shared],
    value: values[layout.paths.indexOf(path)] ?? 0,
  }))
}

/** Whether each interface is up. */
export const INTERFACE_UP: Metric<LedgerState> = {
  name: 'interceptor_interface_up',
  type: 'gauge',
  help: 'Whether the interface is up; 0: it is down or deleted, and captured again once it is back',
  labels: INTERFACE_LABELS,
  read: ({ interfaces }) =>
    interfaces.slice(0, MAX_LISTED).map((one) => ({ labels: interfaceLabels(one), value: one.up ? 1 : 0 })),
}
