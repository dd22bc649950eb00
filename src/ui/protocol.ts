/** What the server of `interceptor ui` and its page exchange. Types only: the page is compiled separately from the program. */
import type { ConnectionCounts, Counts } from '../format/traffic-text.ts'
import type { Grouping } from '../routes/route-names.ts'
import type { RouteHistory } from '../routes/route-row.ts'

/** One line of the list. Texts are cut to a bounded length. */
export interface PairRow {
  /** Its number in the order of arrival, which names it in requests. */
  seq: number
  /** Packet time of the request's first byte, microseconds since the Unix epoch. */
  micros: number
  method: string
  target: string
  host: string
  status: number
  latencyMicros: number
  requestBytes: number
  responseBytes: number
  /** Media type of the response, or of the request where the response has none. */
  type: string
  client: string
  server: string
}

/** Where the pairs come from. */
export type SourceKind = 'file' | 'live' | 'topic' | 'agent'

/** The state of the store and of the source. */
export interface UiState {
  kind: SourceKind
  /** `shop.pcap`, `eth0` */
  title: string
  /** No more pairs will arrive. */
  ended: boolean
  /** Why the source failed; null: it did not. */
  failure: string | null
  /** Pairs so far, and of those the ones that are still held. */
  seen: number
  held: number
  heldBytes: number
  mostPairs: number
  mostBytes: number
  /** Records that are not pairs. */
  foreign: number
  /** Pairs that the source could not pass on, because they arrived too fast. */
  notReceived: number
  /** Pairs of the last second. */
  perSecond: number
}

/** A line of the stream. */
export type StreamMessage =
  /** `skipped`: pairs that left the store before this page could receive them, since the stream began. */
  { t: 'rows'; rows: PairRow[]; skipped: number } | { t: 'state'; state: UiState }

/** The body of an error response. `hint` may have several lines. */
export interface UiError {
  message: string
  hint: string | null
}

/** A workload, host or address on the map. */
export interface MapNode {
  id: string
  label: string
  /** A CEL expression that selects this end as the client, and as the server. */
  asClient: string
  asServer: string
}

/** An arrow: who calls whom. Latencies in milliseconds. */
export interface MapEdge {
  from: string
  to: string
  requests: number
  perSecond: number
  clientErrors: number
  serverErrors: number
  p50Ms: number
  p99Ms: number
}

/** The service map. */
export interface ServiceMapView {
  nodes: MapNode[]
  /** Most requests first. */
  edges: MapEdge[]
  /** Requests whose arrow is not on the map, because the map is bounded. */
  other: number
  /** As in RoutesView. */
  missed: number
}

/** The table of routes. */
export interface RoutesView {
  by: Grouping
  /** The period that rates refer to. */
  seconds: number
  rows: RouteHistory[]
  /** Pairs that had left the store before the filter could be evaluated on them; 0 without a filter. */
  missed: number
}

/** A loss, or what a rule removed. */
export interface FunnelLoss {
  /** The counter: `frames.skipped.nonTcp`. */
  path: string
  count: number
  meaning: string
}

/** One stage of the ledger: in = out + Σ losses + rest. */
export interface FunnelStage {
  title: string
  /** What is counted, in the singular: `frame`. */
  unit: string
  in: number
  out: number
  /** What `out` is called: `kept`. */
  outName: string
  losses: FunnelLoss[]
  /** Units without an outcome so far. */
  rest: number
  /** Counters that belong to the stage but are not part of its sum. */
  beside: FunnelLoss[]
}

/** The ledger; null where the source has none. */
export interface FunnelView {
  stages: FunnelStage[] | null
}

/** One row of the view of pods: what was captured of a pod or an interface, and advice where there is no pair. */
export interface TargetRow extends ConnectionCounts {
  name: string
  interfaces: readonly string[]
  frames: number
  requests: number
  kept: number
  /** Pairs by the rule that filtered them, and unpaired requests and dropped pairs by reason. */
  filtered: Counts
  lost: Counts
  lastPairMicros: number | null
  advice: string
}

/** Pods of an agent, or interfaces of a live capture; null if the source has neither. */
export interface TargetsView {
  of: 'pods' | 'interfaces' | null
  rows: TargetRow[]
  leftOut: number
}
