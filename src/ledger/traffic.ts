/**
 * What one assembler counts of one captured interface, in shared memory: the ledger's counts of connections, messages
 * and pairs, by the same indexes, and the names of what is not HTTP. Written by that assembler alone, read by the main
 * thread. It explains why a pod has pairs or none. The ledger's laws do not hold for it, because losses by a crash are
 * not counted here.
 */
import { ASSEMBLE_COUNTERS, type CounterLayout } from './counters.ts'
import { type Ledger, sumLedger } from './ledger.ts'
import { NAME_COUNTS_BYTES, NameCounts } from './name-counts.ts'

/** Behind the counters: packet time of the end of the last kept pair, microseconds; 0: none. */
const LAST_PAIR = ASSEMBLE_COUNTERS.length
const COUNTS_LENGTH = LAST_PAIR + 1
const COUNTS_BYTES = COUNTS_LENGTH * 8

/** The paths of the ledger that are counted by interface. */
const SHOWN = [
  'flows.seen',
  'flows.protocol.',
  'flows.leftOut.',
  'messages.requests',
  'messages.responses',
  'requests.abandoned.',
  'pairs.',
]

/** Allocates a block. */
export const allocateTraffic = (): SharedArrayBuffer => new SharedArrayBuffer(COUNTS_BYTES + 2 * NAME_COUNTS_BYTES)

/** A view of a block, in either thread. */
export class TrafficBlock {
  /** By the indexes of ASSEMBLE_COUNTERS. */
  readonly counts: Float64Array
  /** TLS connections by the server's name in the ClientHello (RFC 6066 §3). */
  readonly serverNames: NameCounts
  /** Connections of other protocols, by the protocol's name, where it was recognised. */
  readonly protocols: NameCounts

  constructor(shared: SharedArrayBuffer) {
    this.counts = new Float64Array(shared, 0, COUNTS_LENGTH)
    this.serverNames = new NameCounts(shared, COUNTS_BYTES)
    this.protocols = new NameCounts(shared, COUNTS_BYTES + NAME_COUNTS_BYTES)
  }

  /** @param micros packet time at which the pair ended */
  keepLast(micros: number): void {
    this.counts[LAST_PAIR] = micros
  }
}

/** The traffic of one or several interfaces. */
export interface Traffic {
  /** Sections flows, messages, requests and pairs, as far as they are counted by interface. */
  readonly ledger: Ledger
  /** TLS connections by server name, and other connections by protocol. Connections without a known name are not included. */
  readonly serverNames: ReadonlyMap<string, number>
  readonly protocols: ReadonlyMap<string, number>
  /** Packet time of the end of the last kept pair, microseconds; null: none was kept. */
  readonly lastPairMicros: number | null
}

/** Adds blocks up. Safe while workers run. */
export function sumTraffic(blocks: readonly SharedArrayBuffer[]): Traffic {
  const views = blocks.map((shared) => new TrafficBlock(shared))
  const last = Math.max(0, ...views.map(({ counts }) => counts[LAST_PAIR]))
  return {
    ledger: sumLedger(views.map(({ counts }) => ({ layout: SHOWN_COUNTERS, values: shownOf(counts) }))),
    serverNames: sumNames(views.map(({ serverNames }) => serverNames)),
    protocols: sumNames(views.map(({ protocols }) => protocols)),
    lastPairMicros: last === 0 ? null : last,
  }
}

const shownIndexes = ASSEMBLE_COUNTERS.paths.flatMap((path, index) =>
  SHOWN.some((start) => path.startsWith(start)) ? [index] : [],
)
const SHOWN_COUNTERS: CounterLayout<Record<string, string>> = {
  paths: shownIndexes.map((index) => ASSEMBLE_COUNTERS.paths[index]),
  names: shownIndexes.map((index) => ASSEMBLE_COUNTERS.names[index]),
  index: {},
  length: shownIndexes.length,
}

const shownOf = (counts: Float64Array): Float64Array => Float64Array.from(shownIndexes, (index) => counts[index])

function sumNames(tables: readonly NameCounts[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const table of tables) {
    for (const [name, count] of table.read()) sums.set(name, (sums.get(name) ?? 0) + count)
  }
  return new Map([...sums].sort((left, right) => right[1] - left[1]))
}
