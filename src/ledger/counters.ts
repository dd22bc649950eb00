/**
 * Counters in shared memory: one block per worker, written by that worker alone with plain stores, read by the main
 * thread whenever it wants, so an overloaded worker cannot hold up the ledger or a scrape.
 *
 * A block is a Float64Array: exact to 2^53 and never torn, being aligned. A reader may see one counter newer than
 * another; the laws hold once the worker has stopped.
 *
 * Ledger names are paths: `frames.skipped.nonTcp` becomes `{"frames":{"skipped":{"nonTcp":0}}}`.
 */

/** Index of each counter in its block, by its name in the code. */
export type CounterIndexes<T> = { readonly [K in keyof T]: number }

export interface CounterLayout<T> {
  /** Ledger paths in block order. */
  readonly paths: readonly string[]
  readonly index: CounterIndexes<T>
}

function defineCounters<const T extends Record<string, string>>(paths: T): CounterLayout<T> {
  const entries = Object.keys(paths).map((name, position) => [name, position])
  return { paths: Object.values(paths), index: Object.freeze(Object.fromEntries(entries)) }
}

/** Allocates a block that several threads can see. */
export const allocateCounters = (layout: { readonly paths: readonly string[] }): Float64Array =>
  new Float64Array(new SharedArrayBuffer(layout.paths.length * 8))

/** Capture workers. */
export const CAPTURE_COUNTERS = defineCounters({
  seen: 'frames.seen',
  queued: 'frames.queued',
  kernelDropped: 'frames.kernelDropped',
  /** Not IP, or IP but not TCP. */
  skippedNonTcp: 'frames.skipped.nonTcp',
  /** A link type or a link-layer header we do not know. */
  skippedLinkType: 'frames.skipped.linkType',
  /** Headers that end before they should, or contradict themselves. */
  skippedMalformed: 'frames.skipped.malformed',
  /** A fragment that became part of a reassembled packet, which is queued in the last fragment's place. */
  skippedFragment: 'frames.skipped.fragment',
  /** The ring to the assembler was full (live capture only). */
  droppedRing: 'frames.dropped.ring',
  /** Connections left out under overload, so that the others are complete (live capture only). */
  droppedShed: 'frames.dropped.shed',
  /** Over the largest packet a ring takes. */
  droppedOversize: 'frames.dropped.oversize',
  /** Fragments given up: incomplete in time, or over the bound. */
  droppedFragment: 'frames.dropped.fragment',
  /** In the hands of a capture worker when it crashed. */
  droppedCrash: 'frames.dropped.crash',
  bytesCaptured: 'bytes.captured',
  /** Interfaces that went down or away while captured, and came back. */
  interfacesLost: 'interfaces.lost',
  interfacesBack: 'interfaces.back',
  /** Frames whose capture was cut by a snap length within the TCP payload. Their missing bytes become a gap. */
  truncated: 'frames.truncated',
})

/** Assembler workers. */
export const ASSEMBLE_COUNTERS = defineCounters({
  flowsSeen: 'flows.seen',
  flowsOpen: 'flows.open',
  closedFin: 'flows.closed.fin',
  closedReset: 'flows.closed.reset',
  closedIdle: 'flows.closed.idle',
  closedEvicted: 'flows.closed.evicted',
  closedSuperseded: 'flows.closed.superseded',
  closedGone: 'flows.closed.interfaceGone',
  closedEnded: 'flows.closed.ended',
  closedCrash: 'flows.closed.crash',
  /** Connections seen first after their handshake. */
  midstream: 'flows.midstream',
  protocolTls: 'flows.protocol.tls',
  protocolHttp1: 'flows.protocol.http1',
  protocolHttp2: 'flows.protocol.http2',
  protocolTunnel: 'flows.protocol.tunnel',
  protocolUpgraded: 'flows.protocol.upgraded',
  protocolOther: 'flows.protocol.other',
  /** HTTP whose pairs another capture point has: this is not the vantage that is kept. */
  leftOutVantage: 'flows.leftOut.view',
  /** On the host's interfaces: forwarded, neither end is a socket of the host. */
  leftOutForwarded: 'flows.leftOut.forwarded',
  segments: 'segments.seen',
  segmentsOutOfOrder: 'segments.outOfOrder',
  segmentsDuplicate: 'segments.duplicate',
  segmentsIgnored: 'segments.ignored',
  /** Segments behind a hole for which the pool had no room: as good as never seen. */
  segmentsNoRoom: 'segments.noRoom',
  gapsAcked: 'gaps.acked',
  gapsBound: 'gaps.bound',
  gapsExpired: 'gaps.expired',
  gapsEnded: 'gaps.ended',
  bytesPayload: 'bytes.payload',
  bytesGap: 'bytes.gap',
  bytesHttp: 'bytes.http',
  requests: 'messages.requests',
  responses: 'messages.responses',
  interim: 'messages.interim',
  requestsWaiting: 'requests.waiting',
  abandonedTimeout: 'requests.abandoned.timeout',
  abandonedGap: 'requests.abandoned.gap',
  abandonedReset: 'requests.abandoned.reset',
  abandonedClosed: 'requests.abandoned.closed',
  abandonedOversize: 'requests.abandoned.oversize',
  abandonedDoubtful: 'requests.abandoned.doubtful',
  abandonedEvicted: 'requests.abandoned.evicted',
  abandonedSuperseded: 'requests.abandoned.superseded',
  abandonedGone: 'requests.abandoned.interfaceGone',
  abandonedEnded: 'requests.abandoned.ended',
  abandonedCrash: 'requests.abandoned.crash',
  orphanedNoRequest: 'responses.orphaned.noRequest',
  orphanedTimeout: 'responses.orphaned.timeout',
  orphanedGap: 'responses.orphaned.gap',
  orphanedReset: 'responses.orphaned.reset',
  orphanedClosed: 'responses.orphaned.closed',
  orphanedOversize: 'responses.orphaned.oversize',
  orphanedDoubtful: 'responses.orphaned.doubtful',
  orphanedEvicted: 'responses.orphaned.evicted',
  orphanedSuperseded: 'responses.orphaned.superseded',
  orphanedGone: 'responses.orphaned.interfaceGone',
  orphanedEnded: 'responses.orphaned.ended',
  orphanedCrash: 'responses.orphaned.crash',
  pairsAssembled: 'pairs.assembled',
  filteredPairBytes: 'pairs.filtered.pairBytes',
  filteredContentType: 'pairs.filtered.contentType',
  filteredUserAgent: 'pairs.filtered.userAgent',
  filteredHeader: 'pairs.filtered.header',
  filteredStatus: 'pairs.filtered.status',
  filteredPath: 'pairs.filtered.path',
  /** A request that leaves a sidecar's pod for a service inside the cluster: the server's vantage of it is kept. */
  filteredVantage: 'pairs.filtered.view',
  pairsKept: 'pairs.kept',
  droppedRing: 'pairs.dropped.ring',
})

/** The main thread: interfaces that the node agent captures. */
export const TARGET_COUNTERS = defineCounters({
  opened: 'interfaces.opened',
  closed: 'interfaces.closed',
  /** The pod had gone before it could be captured. */
  failedGone: 'interfaces.openFailed.gone',
  /** A capability is missing. */
  failedDenied: 'interfaces.openFailed.denied',
  /** The kernel refused, for want of memory for one. */
  failedRefused: 'interfaces.openFailed.refused',
})

/** The shipper. */
export const SHIP_COUNTERS = defineCounters({
  queued: 'pairs.queued',
  shipped: 'pairs.shipped',
  droppedMaxAge: 'pairs.dropped.maxAge',
  droppedBufferBytes: 'pairs.dropped.bufferBytes',
  droppedRejected: 'pairs.dropped.rejected',
  droppedCrash: 'pairs.dropped.crash',
  droppedShutdown: 'pairs.dropped.shutdown',
  bytesShipped: 'bytes.shipped',
})
