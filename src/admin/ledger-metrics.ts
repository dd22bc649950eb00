/**
 * The ledger as metrics. Names follow from the ledger's paths: `pairs.kept` is interceptor_pairs_kept_total,
 * `frames.skipped.nonTcp` interceptor_frames_skipped_total{reason="nonTcp"}, `bytes.gap` interceptor_gap_bytes_total.
 *
 * There are two views. The node's totals have no labels of an interface, hold what interfaces that are gone have counted,
 * and never go back while the process runs. Beside them each interface being captured has its own interceptor_interface_…
 * series, which end with it. They are metrics apart, not labels of one: were an interface's count moved from its series
 * into one for what is gone, `sum(rate())` would show all of it as a burst.
 */
import { ASSEMBLE_COUNTERS, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../ledger/counters.ts'
import { count, type Ledger } from '../ledger/ledger.ts'
import type { InterfaceObservation } from '../ledger/observation.ts'
import type { Metric, Sample } from './exposition.ts'

/** The ledger summed up for one scrape, and the interfaces being captured. */
export interface LedgerState {
  readonly ledger: Ledger
  readonly interfaces: readonly InterfaceObservation[]
}

/** Counts that go down again. */
const GAUGES = new Set(['flows.open', 'requests.waiting', 'pairs.queued'])

/** What each count is, by its path without the reason. docs/ledger.md says more of each. */
const MEANINGS: Readonly<Record<string, string>> = {
  'frames.seen': 'Frames the sources delivered',
  'frames.queued': 'Packets handed to an assembler',
  'frames.consumed': 'Packets read by an assembler',
  'frames.lost': 'Packets handed to an assembler that were never processed, by reason',
  'frames.kernelDropped': 'Frames the kernel dropped before they were seen: its ring was full',
  'frames.skipped': 'Frames that hold no TCP packet, by reason',
  'frames.dropped': 'Frames lost because a bound was hit, by reason',
  'frames.truncated': 'Frames cut by a snap length within their TCP payload',
  'bytes.captured': 'Bytes of all frames seen',
  'interfaces.lost': 'Times an interface went down or away while it was captured',
  'interfaces.back': 'Times an interface came back',
  'flows.seen': 'TCP connections seen',
  'flows.open': 'TCP connections being followed now',
  'flows.closed': 'TCP connections no longer followed, by reason',
  'flows.leftOut': 'TCP connections whose pairs another capture point has, by reason',
  'flows.midstream': 'TCP connections first seen after their handshake',
  'flows.oneDirection': 'TCP connections with data of which only one direction was captured',
  'flows.protocol': 'TCP connections by what was found on them',
  'segments.seen': 'TCP segments seen',
  'segments.outOfOrder': 'TCP segments kept until what comes before them arrived',
  'segments.duplicate': 'TCP segments with nothing new in them',
  'segments.ignored': 'TCP segments of no connection that is followed',
  'segments.noRoom': 'TCP segments behind a hole for which the pool had no room',
  'segments.afterEnd': 'TCP segments of a connection that has ended',
  'segments.inexactReset': 'RSTs that their receivers do not obey (RFC 5961)',
  'segments.signature': 'TCP segments with an unexpected signature, or without an expected one',
  'gaps.acked': 'Holes whose bytes the receiver acknowledged: not captured',
  'gaps.bound': 'Holes given up because too much waited behind them',
  'gaps.expired': 'Holes given up because of their age',
  'gaps.ended': 'Holes still open when the connection ended',
  'bytes.payload': 'Bytes of TCP payload, repeats included',
  'bytes.gap': 'Bytes given up in gaps',
  'bytes.http': 'Bytes of HTTP messages',
  'messages.requests': 'HTTP requests whose head was complete',
  'messages.responses': 'Final HTTP responses whose head was complete',
  'messages.interim': 'Interim HTTP responses (1xx), part of no pair',
  'requests.waiting': 'Requests whose pair is not decided yet',
  'requests.abandoned': 'Requests that never became part of a pair, by reason',
  'responses.orphaned': 'Responses that never became part of a pair, by reason',
  'pairs.assembled': 'Requests that have their response',
  'pairs.filtered': 'Pairs left out on purpose, by rule',
  'pairs.kept': 'Pairs that were not filtered',
  'pairs.dropped': 'Pairs lost because a bound was hit, by reason',
  'pairs.queued': 'Pairs waiting for the output',
  'pairs.shipped': 'Pairs written to the output',
  'bytes.shipped': 'Bytes of the pairs written to the output',
}

/** Counts that become one metric: those of one path, or of all its reasons. */
interface Group {
  /** Path without the reason: `frames.skipped`. */
  readonly base: string
  /** Reasons, or a protocol's names; none: it is a plain count. */
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

/** Paths of a group with the values of its label. */
const members = ({ base, reasons }: Group): [string, string[]][] =>
  reasons.length === 0 ? [[base, []]] : reasons.map((reason) => [`${base}.${reason}`, [reason]])

const ALL_PATHS = new Set([CAPTURE_COUNTERS, ASSEMBLE_COUNTERS, SHIP_COUNTERS].flatMap(({ paths }) => paths))

/** The node's totals. */
export const LEDGER_METRICS: readonly Metric<LedgerState>[] = groupsOf(ALL_PATHS).map((group) => ({
  name: metricName(group.base, false),
  type: GAUGES.has(group.base) ? 'gauge' : 'counter',
  help: MEANINGS[group.base] ?? group.base,
  labels: reasonLabel(group),
  read: ({ ledger }) => members(group).map(([path, labels]) => ({ labels, value: count(ledger, path) })),
}))

/** Labels of an interface. `netns`, the inode of its network namespace, keeps pods apart that have no name yet. */
export const INTERFACE_LABELS = ['interface', 'namespace', 'pod', 'netns'] as const

/** Interfaces with series of their own; those beyond are in the totals only. */
const MAX_LISTED = 1024

function interfaceLabels({ key, name, labels }: InterfaceObservation): string[] {
  const netns = key.includes('/') ? key.slice(0, key.indexOf('/')) : ''
  return [name, labels['namespace'] ?? '', labels['pod'] ?? '', netns]
}

/** What each interface being captured has counted. */
export const INTERFACE_METRICS: readonly Metric<LedgerState>[] = groupsOf(CAPTURE_COUNTERS.paths).map((group) => ({
  name: metricName(group.base, true),
  type: 'counter',
  help: `${MEANINGS[group.base] ?? group.base}; of one interface`,
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

/** Whether each interface is there. */
export const INTERFACE_UP: Metric<LedgerState> = {
  name: 'interceptor_interface_up',
  type: 'gauge',
  help: 'Whether the interface is up; 0: it went down or away and is waited for',
  labels: INTERFACE_LABELS,
  read: ({ interfaces }) =>
    interfaces.slice(0, MAX_LISTED).map((one) => ({ labels: interfaceLabels(one), value: one.up ? 1 : 0 })),
}
