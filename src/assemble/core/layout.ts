/** Starts the program on a memory that the host has laid out: reads the addresses of its regions and of the constant parts of pairs. */

import { openClock } from './clock'
import { openEnds } from './encode/ends'
import { openOutput } from './encode/pair'
import { Part } from './encode/parts'
import { openFlowPreambles } from './flow-preambles'
import { CONNECTION_BYTES, EXCHANGE_BYTES, MESSAGE_BYTES, PROGRESS_BYTES } from './http1/connection'
import { openOpenMessages } from './http1/open-messages'
import { openPool } from './memory/cells'
import { openLists } from './memory/list'
import { Region } from './memory/regions'
import { openSlab, Slab } from './memory/slab'
import { FLOW_BYTES, RARE_STATE_BYTES } from './tcp/flow'
import { openFlowLists } from './tcp/flow-lists'
import { openFlowTable } from './tcp/flow-table'
import { openPieces } from './tcp/held-pieces'
import { openRareStates, RARE_STATES_BEYOND } from './tcp/rare-state'

/** Addresses of the regions, and numbers of records, in this order; the host writes a word for each. */
@unmanaged
class Layout {
  counts: usize
  hashKeys: usize
  buckets: usize
  bucketCount: u32
  slabs: usize
  lists: usize
  capacity: u32
  flows: usize
  tails: usize
  extras: usize
  rareStateCount: u32
  rareStates: usize
  connections: usize
  doubts: usize
  progressCount: u32
  progress: usize
  exchangeCount: u32
  exchanges: usize
  responses: usize
  interfaces: usize
  traffic: usize
  heads: usize
  ends: usize
  contentType: usize
  ahead: usize
  pages: usize
  roomy: usize
  pool: usize
  poolPages: u32
  output: usize
  outputEnd: usize
  pairRoom: usize
  seed: u32
}

/** Begins anew. @param at address of a Layout; @param parts address of the words of `Part`, in the order of its fields */
export function configure(at: usize, parts: usize): void {
  const layout = changetype<Layout>(at)
  const capacity = layout.capacity
  Region.counts = layout.counts
  Region.hashKeys = layout.hashKeys
  Region.buckets = layout.buckets
  Region.bucketMask = layout.bucketCount - 1
  memory.fill(layout.buckets, 0, <usize>layout.bucketCount * sizeof<usize>())
  Region.lists = layout.lists
  Region.interfaces = layout.interfaces
  Region.traffic = layout.traffic
  Region.heads = layout.heads
  Region.ends = layout.ends
  Region.contentType = layout.contentType
  Region.ahead = layout.ahead
  Region.pages = layout.pages
  Region.roomy = layout.roomy
  Region.pool = layout.pool
  Region.flows = slab(layout, 0, layout.flows, capacity, FLOW_BYTES)
  Region.firstFlow = layout.flows
  Region.tails = layout.tails
  Region.extras = layout.extras
  Region.rareStates = slab(layout, 1, layout.rareStates, layout.rareStateCount, RARE_STATE_BYTES)
  Region.connections = slab(layout, 2, layout.connections, capacity, CONNECTION_BYTES)
  Region.firstConnection = layout.connections
  Region.doubts = layout.doubts
  Region.progress = slab(layout, 3, layout.progress, layout.progressCount, PROGRESS_BYTES)
  Region.exchanges = slab(layout, 4, layout.exchanges, layout.exchangeCount, EXCHANGE_BYTES)
  Region.responses = slab(layout, 5, layout.responses, layout.exchangeCount, MESSAGE_BYTES)
  openPool(layout.poolPages)
  openOutput(layout.output, layout.outputEnd, layout.pairRoom)
  openLists()
  openFlowLists()
  openFlowTable(capacity)
  openPieces(layout.seed)
  openRareStates(layout.rareStateCount - RARE_STATES_BEYOND)
  openOpenMessages()
  openFlowPreambles()
  openEnds()
  readParts(parts)
  openClock()
}

function slab(layout: Layout, index: usize, start: usize, records: u32, recordBytes: usize): Slab {
  const slab = changetype<Slab>(layout.slabs + index * offsetof<Slab>())
  openSlab(slab, start, start + <usize>records * recordBytes, recordBytes)
  return slab
}

/** Words that are read one after the other. */
class Words {
  static next: usize = 0
}

function readWord(): usize {
  const word = load<usize>(Words.next)
  Words.next += sizeof<usize>()
  return word
}

function readParts(at: usize): void {
  Words.next = at
  Part.head = readWord()
  Part.headOverhead = readWord()
  Part.tail = readWord()
  Part.tailBytes = readWord()
  Part.bodySizeAt = readWord()
  Part.prefix = readWord()
  Part.prefixBytes = readWord()
  Part.idAt = readWord()
  Part.requestStartAt = readWord()
  Part.requestEndAt = readWord()
  Part.responseStartAt = readWord()
  Part.responseEndAt = readWord()
  Part.endpoint = readWord()
  Part.endpointBytes = readWord()
  Part.port = readWord()
  Part.portBytes = readWord()
  Part.portAt = readWord()
  Part.server = readWord()
  Part.serverBytes = readWord()
  Part.request = readWord()
  Part.requestBytes = readWord()
  Part.flags = readWord()
}
