/**
 * Counters in shared memory: one block per worker, written by that worker alone with plain stores, read by the main
 * thread at any time: an overloaded worker cannot delay the ledger or a scrape.
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
  /** The names in each path. */
  readonly names: readonly (readonly string[])[]
  readonly index: CounterIndexes<T>
  /** Counters in a block: those with a path, then those that the ledger does not show. */
  readonly length: number
}

/** @param hidden counters that the ledger does not show */
function defineCounters<const T extends Record<string, string>, const H extends string = never>(
  paths: T,
  hidden: readonly H[] = [],
): CounterLayout<Record<keyof T | H, string>> {
  const all = [...Object.keys(paths), ...hidden]
  const index = Object.fromEntries(all.map((name, position) => [name, position]))
  return {
    paths: Object.values(paths),
    names: Object.values(paths).map((path) => path.split('.')),
    index: Object.freeze(index) as CounterIndexes<Record<keyof T | H, string>>,
    length: all.length,
  }
}

/** Allocates a block that several threads can see. */
export const allocateCounters = ({ length }: { readonly length: number }): Float64Array =>
  new Float64Array(new SharedArrayBuffer(length * 8))

/** Counters of a capture worker, or of one captured interface. */
export const CAPTURE_COUNTERS = defineCounters({
  seen: 'frames.seen',
  queued: 'frames.queued',
  kernelDropped: 'frames.kernelDropped',
  /** An estimate: frames of connections that the kernel's filter sheds under overload. */
  kernelShed: 'frames.kernelShed',
  /** Not IP, or IP that is not TCP. */
  skippedNonTcp: 'frames.skipped.nonTcp',
  /** Rejected by the user's expression; live capture rejects frames in the kernel instead (files only). */
  skippedFilter: 'frames.skipped.filter',
  /** A link type or link-layer header that is not supported. */
  skippedLinkType: 'frames.skipped.linkType',
  /** Headers that are truncated or contradict each other. */
  skippedMalformed: 'frames.skipped.malformed',
  /** A fragment of a packet that was reassembled, except the one that completed it: that one counts as the packet. */
  skippedFragment: 'frames.skipped.fragment',
  /** The ring to the assembler was full (live capture only). */
  droppedRing: 'frames.dropped.ring',
  /** Connections shed under overload, so that the others are complete (live capture only). */
  droppedShed: 'frames.dropped.shed',
  /** Larger than the largest record of a ring. */
  droppedOversize: 'frames.dropped.oversize',
  /** Fragments of packets that stayed incomplete for too long, or exceeded the bound. */
  droppedFragment: 'frames.dropped.fragment',
  /** Seen by a capture worker that crashed before it queued them. */
  droppedCrash: 'frames.dropped.crash',
  bytesCaptured: 'bytes.captured',
  /** Captured interfaces that went down or were deleted, and those that returned. */
  interfacesLost: 'interfaces.lost',
  interfacesBack: 'interfaces.back',
  /** Frames whose capture was cut by a snap length within the TCP payload. Their missing bytes become a gap. */
  truncated: 'frames.truncated',
})

/** Counters of an assembler. */
export const ASSEMBLE_COUNTERS = defineCounters(
  {
    framesConsumed: 'frames.consumed',
    /** Read from a ring by an assembler that crashed before it processed them, or left in the rings of one that was not restarted. */
    framesLostCrash: 'frames.lost.crash',
    /** In the rings of an assembler that was stopped. */
    framesLostShutdown: 'frames.lost.shutdown',
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
    /** Closed connections that were removed for lack of room before their time: late segments of them look like new connections. */
    flowsRemovedEarly: 'flows.removedEarly',
    /** Connections first seen after their handshake. */
    midstream: 'flows.midstream',
    /** Connections that carried data but of which only one direction was captured; counted when they close. */
    flowsOneDirection: 'flows.oneDirection',
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
    /** Segments of a connection, or a stream, that has ended. */
    segmentsAfterEnd: 'segments.afterEnd',
    /** RSTs that their receiver ignores, because the sequence number is not exactly the next one. */
    segmentsInexactReset: 'segments.inexactReset',
    /** With a TCP-MD5 or TCP-AO signature that was not negotiated, or without one that was. */
    segmentsSignature: 'segments.signature',
    /** Segments behind a hole for which the pool had no room: treated as if they had not been captured. */
    segmentsNoRoom: 'segments.noRoom',
    gapsAcked: 'gaps.acked',
    gapsBound: 'gaps.bound',
    gapsExpired: 'gaps.expired',
    gapsEvicted: 'gaps.evicted',
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
    /** Not on a list of `filter.include`, which `--method`, `--path` and similar options set. */
    filteredInclude: 'pairs.filtered.include',
    /** Not selected by `--grep` or `--where`. */
    filteredSelection: 'pairs.filtered.selection',
    pairsKept: 'pairs.kept',
    droppedRing: 'pairs.dropped.ring',
  },
  // Frames read from a ring so far: more than were consumed while a block is being worked on.
  ['framesRead'],
)

/** Counters of the main thread, about interfaces that are opened and closed. */
export const TARGET_COUNTERS = defineCounters({
  opened: 'interfaces.opened',
  closed: 'interfaces.closed',
  /** The pod ended before it could be captured. */
  failedGone: 'interfaces.openFailed.gone',
  /** A capability is missing. */
  failedDenied: 'interfaces.openFailed.denied',
  /** The kernel refused for another reason, such as too little memory, or the assemblers have no room for another interface. */
  failedRefused: 'interfaces.openFailed.refused',
})

/** Counters of the shipper. */
export const SHIP_COUNTERS = defineCounters(
  {
    queued: 'pairs.queued',
    shipped: 'pairs.shipped',
    droppedMaxAge: 'pairs.dropped.maxAge',
    droppedBufferBytes: 'pairs.dropped.bufferBytes',
    droppedRejected: 'pairs.dropped.rejected',
    droppedCrash: 'pairs.dropped.crash',
    droppedShutdown: 'pairs.dropped.shutdown',
    bytesShipped: 'bytes.shipped',
  },
  // Pairs read from the rings so far.
  ['pairsRead'],
)
