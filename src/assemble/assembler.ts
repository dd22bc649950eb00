/**
 * The assembler: records of a frame ring in, pairs out. Connects the parts, each of which owns one step:
 *
 *     record → ConnectionTracker → Reassembler → Connections → MessageParser → Exchanges → PairSink
 *              flow, handshake     order, holes   protocol      framing         pairing, rules, encoding
 *
 * It does no I/O: bytes and packet times in, calls of the sink out. The worker around it owns rings, threads and waiting.
 */

import { ASSEMBLE_COUNTERS } from '../ledger/counters.ts'
import type { AddressEntry } from '../pair/endpoint-pod.ts'
import {
  END_OFFSET_AT,
  FLOW_HASH_AT,
  FRAME,
  INTERFACE,
  INTERFACE_GONE,
  INTERFACE_ID_AT,
  IP_OFFSET_AT,
  LENGTH_AT,
  MARK_AT,
  MAX_FRAME_BYTES,
  MICROS_AT,
  NETWORK_AT,
  TAG_AT,
  TCP_OFFSET_AT,
  TEXT_AT,
  TEXT_LENGTH_AT,
} from '../ring/layout.ts'
import type { OpaqueMarks } from '../ring/opaque-marks.ts'
import type { PairSelection, PairSelector } from '../select/selector.ts'
import type { InterfaceInfo, VantagePolicy } from '../target/interface-info.ts'
import { Connections } from './connections.ts'
import { MessageWriter } from './encode/message-writer.ts'
import { PAIR_FRAME_BYTES, PairWriter } from './encode/pair-writer.ts'
import { Filter, type FilterConfig } from './filter.ts'
import { Exchanges } from './http1/exchanges.ts'
import { MessageHead } from './http1/message-head.ts'
import { MessageParser } from './http1/message-parser.ts'
import { OpenMessages } from './http1/open-messages.ts'
import { Outcomes, type PairSink } from './http1/outcomes.ts'
import { Position } from './http1/position.ts'
import { InterfaceTraffic } from './interface-traffic.ts'
import { Arena } from './memory/arena.ts'
import { BlockPool } from './memory/block-pool.ts'
import { CellPool } from './memory/cell-pool.ts'
import { stateBounds } from './memory/state-bounds.ts'
import { PacketTime } from './packet-time.ts'
import { FlowTable } from './tcp/flow-table.ts'
import { HeldPieces } from './tcp/held-pieces.ts'
import { Reassembler } from './tcp/reassembler.ts'
import { ConnectionTracker } from './tcp/tracker.ts'
import { Vantages } from './vantage/vantage.ts'

export interface AssemblerOptions extends VantagePolicy {
  /** Name of the node, for the pairs. */
  node: string
  filter: FilterConfig
  /** Keep pairs that rules would filter; size limits and `filter.include` still apply. */
  everything: boolean
  /** What only complete pairs decide; absent: all are kept. */
  selection?: PairSelection | undefined
  messageBytes: number
  pairBytes: number
  responseTimeoutMicros: number
  /** Emit the pair of a response whose connection, or the input, ended within its body. */
  incompleteResponses: boolean
  /** A connection without segments for this long is closed. */
  idleTimeoutMicros: number
  /** Maximum number of connections tracked at the same time. */
  flows: number
  /** Memory for the state of connections and exchanges; `flows` and the number of exchanges are bounded by it. */
  stateBytes: number
  /** Bound on all bytes held: messages waiting, segments behind holes, heads cut between segments. */
  poolBytes: number
}

const C = ASSEMBLE_COUNTERS.index

/** A ring is copied in blocks of this size; a larger record is copied alone. */
export const INPUT_BLOCK_BYTES = 64 * 1024
const INPUT_BYTES = MAX_FRAME_BYTES + INPUT_BLOCK_BYTES
/** Addresses are signed words; the rest is far more than the arena needs beside its regions. */
const LARGEST_ARENA = 2 ** 31 - 2 ** 26

/** The memory that an assembler with these options works in. A later assembler on the same arena replaces an earlier one. */
export function assemblerArena({ messageBytes, pairBytes, poolBytes }: AssemblerOptions): Arena {
  // Encoding at most doubles a message: a byte of a head may become two, and a field needs less than twice its bytes.
  const scratchBytes = 2 * Math.max(messageBytes, pairBytes) + PAIR_FRAME_BYTES
  const room = LARGEST_ARENA - INPUT_BYTES - messageBytes - scratchBytes
  return new Arena(INPUT_BYTES, messageBytes, scratchBytes, Math.min(poolBytes, room))
}

export class Assembler {
  readonly arena: Arena
  /** Where the caller copies ring blocks before `consume`. */
  readonly input: Uint8Array
  readonly #cells: CellPool
  readonly #tracker: ConnectionTracker
  readonly #time: PacketTime
  readonly #pairs: PairWriter
  readonly #vantages: Vantages
  readonly #traffic: InterfaceTraffic
  readonly #filter: Filter
  readonly #announced: (id: number, info: InterfaceInfo) => void
  /** Network domain of each interface, by id. */
  readonly #domains: number[] = []
  readonly #counts: Float64Array

  /**
   * @param arena of `assemblerArena`
   * @param counts an ASSEMBLE_COUNTERS block
   * @param sink receives finished pairs, which are in the arena
   * @param announced called for each interface that a record announces
   * @param selector of `options.selection`; null: it selects everything
   */
  constructor(
    arena: Arena,
    options: AssemblerOptions,
    counts: Float64Array,
    sink: PairSink,
    announced: (id: number, info: InterfaceInfo) => void = () => {},
    selector: PairSelector | null = null,
  ) {
    arena.clear()
    const cells = new CellPool(arena)
    const pool = new BlockPool(arena, cells)
    const filter = new Filter(options.filter, options.everything)
    const head = new MessageHead(arena, filter)
    const time = new PacketTime()
    const bounds = stateBounds(options.stateBytes, options.flows)
    const flows = new FlowTable(arena, time, bounds.connections, bounds.objects)
    const messages = new MessageWriter(arena, head)
    const vantages = new Vantages(flows, options)
    const pairs = new PairWriter(arena, pool, flows, messages, vantages, options.node)
    const traffic = new InterfaceTraffic(arena)
    const outcomes = new Outcomes(
      arena,
      pool,
      pairs,
      options,
      counts,
      sink,
      filter.include,
      selector,
      traffic,
      bounds.exchanges,
      (flow) => {
        flows.active.settle()
        flows.at(flow)
      },
    )
    const position = new Position()
    const shared = { time, position, vantages, traffic, limits: options, counts }
    const exchanges = new Exchanges({ arena, pool, head, filter, messages, outcomes, ...shared })
    const parser = new MessageParser(arena, pool, head, exchanges, time, position, options.messageBytes)
    const open = new OpenMessages(time, options.idleTimeoutMicros)
    const connections = new Connections(arena, pool, head, parser, exchanges, open, counts, vantages, traffic, time)
    const reassembler = new Reassembler(new HeldPieces(arena, cells), flows, counts, time, connections)
    this.arena = arena
    this.input = arena.bytes.subarray(arena.input, arena.input + arena.inputBytes)
    this.#cells = cells
    this.#pairs = pairs
    this.#vantages = vantages
    this.#traffic = traffic
    this.#filter = filter
    this.#tracker = new ConnectionTracker(
      arena,
      cells,
      counts,
      time,
      reassembler,
      connections,
      flows,
      options.idleTimeoutMicros,
    )
    this.#time = time
    this.#announced = announced
    this.#counts = counts
  }

  /** Bytes of `poolBytes` in use. */
  get heldBytes(): number {
    return this.#cells.usedBytes
  }

  /**
   * Measures the whole records in the first `available` bytes of `input`, which were read from a ring, and counts their
   * frames as read. Called once for each block that is consumed.
   *
   * @returns their total length, padding included; 0 when the first record is cut
   */
  wholeRecords(available: number): number {
    const { view, input } = this.arena
    let at = 0
    let frames = 0
    while (at + TAG_AT + 4 <= available) {
      const length = view.getInt32(input + at + LENGTH_AT, true)
      if (length < 0) {
        at -= length
        break
      }
      if (at + length > available) break
      if (view.getInt32(input + at + TAG_AT, true) === FRAME) frames++
      at += length
    }
    this.#counts[C.framesRead] += frames
    return at
  }

  /**
   * Processes the whole records in the first `length` bytes of `input`.
   *
   * @param marks of the records' ring; null: its producer leaves no payload out
   */
  consume(length: number, marks: OpaqueMarks | null = null): void {
    const { view, input } = this.arena
    this.#tracker.marks.table = marks
    const end = input + length
    let at = input
    while (at < end) {
      const size = view.getInt32(at + LENGTH_AT, true)
      if (size < 0) break
      this.#time.micros = view.getFloat64(at + MICROS_AT, true)
      this.#record(at, view.getInt32(at + TAG_AT, true))
      at += size
    }
  }

  /**
   * Adds an interface, as its record in the ring does, or replaces what is known of it.
   *
   * @param traffic the block (ledger/traffic.ts) that counts what this assembler sees of it; undefined: none
   */
  addInterface(id: number, info: InterfaceInfo, traffic?: SharedArrayBuffer): void {
    this.#domains[id] = info.domain
    this.#pairs.addInterface(id, info)
    this.#vantages.addInterface(id, info)
    this.#traffic.count(id, traffic)
  }

  /** Replaces the pods that hold these addresses. */
  setAddresses(entries: readonly AddressEntry[]): void {
    this.#vantages.setAddresses(entries)
  }

  /** Which vantages are kept, for connections that begin from now on. */
  setPolicy(policy: VantagePolicy): void {
    this.#vantages.setPolicy(policy)
  }

  /** Replaces the rules: each head is judged by those in force when it arrives. */
  setFilter(filter: FilterConfig): void {
    this.#filter.configure(filter)
  }

  /** The input has ended: ends every flow. */
  finish(): void {
    this.#tracker.endAll()
  }

  #record(at: number, kind: number): void {
    const view = this.arena.view
    const id = view.getInt32(at + INTERFACE_ID_AT, true)
    if (kind === FRAME) {
      this.#counts[C.framesConsumed]++
      const ip = at + view.getUint16(at + IP_OFFSET_AT, true)
      const tcp = at + view.getUint16(at + TCP_OFFSET_AT, true)
      const end = at + view.getUint32(at + END_OFFSET_AT, true)
      const network = view.getInt32(at + NETWORK_AT, true)
      const hash = view.getInt32(at + FLOW_HASH_AT, true)
      this.#tracker.segment(ip, tcp, end, id, this.#domains[id], network, hash, view.getInt32(at + MARK_AT, true))
    } else if (kind === INTERFACE) {
      const start = at + TEXT_AT
      const text = this.arena.bytes.subarray(start, start + view.getInt32(at + TEXT_LENGTH_AT, true))
      const info: InterfaceInfo = JSON.parse(new TextDecoder().decode(text))
      this.addInterface(id, info)
      this.#announced(id, info)
    } else if (kind === INTERFACE_GONE) this.#tracker.endInterface(id)
    else this.#tracker.advance()
  }
}
