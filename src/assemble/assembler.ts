/**
 * The assembler: records of frames in, pairs out. A program in AssemblyScript does the work (core/index.ts); this class lays
 * out its memory, passes it blocks of records, passes its pairs on, and publishes its counters.
 *
 * It does no I/O: bytes and packet times in, calls of the sink out. The worker around it owns rings, threads and waiting.
 */
import { ASSEMBLE_COUNTERS } from '../ledger/counters.ts'
import { TrafficBlock } from '../ledger/traffic.ts'
import type { AddressEntry } from '../pair/endpoint-pod.ts'
import {
  ARRIVAL_AT,
  CLOCK_STEP,
  INTERFACE_GONE,
  INTERFACE_ID_AT,
  LENGTH_AT,
  MICROS_AT,
  TAG_AT,
  TEXT_AT,
  TEXT_LENGTH_AT,
} from '../ring/layout.ts'
import type { OpaqueMarks } from '../ring/opaque-marks.ts'
import type { PairSelector } from '../select/selector.ts'
import type { InterfaceInfo, VantagePolicy } from '../target/interface-info.ts'
import type { AssemblerOptions } from './assembler-options.ts'
import { Filter, type FilterConfig } from './filter.ts'
import { AssemblerHost } from './host/imports.ts'
import { ProgramMemory } from './host/memory.ts'
import type { Address, Program } from './host/program.ts'
import { nameLengths, writeRules } from './host/rule-tables.ts'
import type { PairSink } from './pair-sink.ts'
import { stateBounds } from './state-bounds.ts'

const C = ASSEMBLE_COUNTERS.index
const COUNTER_BYTES = 8

/**
 * The memory that an assembler with these options works in.
 *
 * @param holdsPlace whether frames are put in place (ring/frame-place.ts), instead of into rings
 */
export const assemblerMemory = (options: AssemblerOptions, holdsPlace = false): ProgramMemory =>
  new ProgramMemory(options, stateBounds(options), holdsPlace)

export class Assembler {
  readonly #memory: ProgramMemory
  readonly #host: AssemblerHost
  readonly #program: Program
  readonly #filter: Filter
  readonly #options: AssemblerOptions
  /** Blocks of the interfaces whose counts are read, by id. */
  readonly #traffic: (TrafficBlock | undefined)[] = []
  readonly #counts: Float64Array
  readonly #sink: PairSink
  readonly #announced: (id: number, info: InterfaceInfo) => void
  /** Whether `#passPairs` has begun and not ended, also after a failure in it. */
  #passing = false

  /**
   * @param memory of `assemblerMemory`. A later assembler on the same memory replaces an earlier one
   * @param counts an ASSEMBLE_COUNTERS block, which is brought up to date after each block of records
   * @param sink receives finished pairs, which are in the memory
   * @param announced called for each interface that a record announces
   * @param selector of `options.selection`; null: it selects everything
   */
  constructor(
    memory: ProgramMemory,
    options: AssemblerOptions,
    counts: Float64Array,
    sink: PairSink,
    announced: (id: number, info: InterfaceInfo) => void = () => {},
    selector: PairSelector | null = null,
  ) {
    const filter = new Filter(options.filter)
    const { node } = options
    const traffic = (id: number): TrafficBlock | undefined => this.#traffic[id]
    const passPairs = (): void => this.#passPairs()
    const host = new AssemblerHost({ memory, filter, policy: options, selector, node, traffic, passPairs })
    this.#options = options
    this.#memory = memory
    this.#host = host
    this.#program = host.program
    this.#filter = filter
    this.#counts = counts
    this.#sink = sink
    this.#announced = announced
    // An assembler that replaces one that has failed continues its counts.
    memory.counts.set(counts)
    const bounds = stateBounds(options)
    this.#program.setLimits(
      options.messageBytes,
      options.pairBytes,
      options.responseTimeoutMicros,
      options.idleTimeoutMicros,
      options.incompleteResponses ? 1 : 0,
      bounds.exchanges,
      bounds.messages,
      selector === null ? 0 : 1,
      sink.onlyCounts === true ? 1 : 0,
    )
    this.#setRules(options.filter)
  }

  /** Bytes of `poolBytes` in use. */
  get heldBytes(): number {
    return this.#program.usedBytes()
  }

  /** Frames in the blocks that were measured so far, by every thread of the slot. */
  get framesRead(): number {
    return this.#memory.counts[C.framesRead]
  }

  /**
   * Measures the whole records of a block, and adds their frames to `framesRead`. Called once for each block that is consumed.
   *
   * @param at address of the block
   * @param available bytes of it, of which the last record may be cut
   * @returns their total length, padding included; 0 when the first record is cut
   */
  wholeRecords(at: Address, available: number): number {
    return this.#program.wholeRecords(at, available)
  }

  /**
   * Processes a block of whole records.
   *
   * @param at address of the block
   * @param length in bytes, as `wholeRecords` returned it
   * @param marks of the records' ring; null: their producer leaves no payload out
   */
  consume(at: Address, length: number, marks: OpaqueMarks | null): void {
    this.#host.marks = marks
    this.#program.setMarks(marks === null ? 0 : 1)
    try {
      this.#process(at, at + length)
    } finally {
      // Also after a failure within the block: the records before it have been processed.
      if (!this.#passing) this.#passPairs()
    }
  }

  /**
   * Adds an interface, as its record in the ring does, or replaces what is known of it.
   *
   * @param traffic the block (ledger/traffic.ts) that counts what this assembler sees of it; undefined: none
   */
  addInterface(id: number, info: InterfaceInfo, traffic?: SharedArrayBuffer): void {
    const { vantagePoint } = info
    this.#memory.useInterface(id)
    this.#program.setInterface(id, info.domain, vantagePoint?.hopLimit ?? 0, vantagePoint === null ? 0 : 1)
    this.#host.vantages.addInterface(id, info)
    this.#host.names.addInterface(id, info)
    const block = traffic === undefined ? undefined : new TrafficBlock(traffic)
    this.#traffic[id] = block
    if (block !== undefined) this.#memory.interfaceCounts(id).set(block.counts.subarray(0, ASSEMBLE_COUNTERS.length))
  }

  /** Replaces the pods that hold these addresses. */
  setAddresses(entries: readonly AddressEntry[]): void {
    this.#host.vantages.setAddresses(entries)
    this.#host.names.change()
  }

  /** Which vantages are kept, for connections that begin from now on. */
  setPolicy(policy: VantagePolicy): void {
    this.#host.vantages.setPolicy(policy)
  }

  /** Replaces the rules: each head is judged by those in force when it arrives. */
  setFilter(filter: FilterConfig): void {
    this.#filter.configure(filter)
    this.#setRules(filter)
  }

  /** The input has ended: ends every flow. */
  finish(): void {
    this.#program.endAll()
    this.#passPairs()
  }

  #process(start: Address, end: Address): void {
    const { view } = this.#memory
    for (let at = start; at < end; ) {
      at = this.#program.consume(at, end)
      if (at === end) return
      this.#passPairs()
      this.#controlRecord(at)
      at += view.getInt32(at + LENGTH_AT, true)
    }
  }

  #controlRecord(at: number): void {
    const { view } = this.#memory
    const id = view.getInt32(at + INTERFACE_ID_AT, true)
    switch (view.getInt32(at + TAG_AT, true)) {
      case INTERFACE_GONE:
        this.#program.endInterface(id)
        this.#passPairs()
        break
      case CLOCK_STEP:
        this.#program.stepClock(view.getFloat64(at + MICROS_AT, true))
        break
      default:
        this.#interfaceRecord(at, id)
    }
  }

  #interfaceRecord(at: number, id: number): void {
    const { bytes, view } = this.#memory
    const start = at + TEXT_AT
    const text = bytes.subarray(start, start + view.getInt32(at + TEXT_LENGTH_AT, true))
    const info: InterfaceInfo = JSON.parse(new TextDecoder().decode(text))
    this.addInterface(id, info)
    this.#announced(id, info)
  }

  /**
   * Passes the pairs in the output to the sink. Publishes their counts before, because this thread may be ended at any call:
   * pairs that are counted and not in the ring are counted as lost later, but nothing corrects the opposite.
   */
  #passPairs(): void {
    this.#publishCounts()
    this.#passing = true
    const { view, output } = this.#memory
    const end = this.#program.outputEnd()
    let dropped = 0
    for (let at = output; at < end; ) {
      at = this.#sink.emit(at, end)
      if (at === end) break
      this.#countDropped(at)
      dropped += 1
      at += view.getInt32(at + LENGTH_AT, true)
    }
    this.#program.rewindOutput()
    this.#passing = false
    if (dropped > 0) this.#publishCounts()
  }

  /** The sink had no room for the pair of this record, which has the interface of its connection in place of a time. */
  #countDropped(record: number): void {
    this.#memory.counts[C.droppedRing]++
    const id = this.#memory.view.getInt32(record + ARRIVAL_AT, true)
    this.#program.countOf(id, C.droppedRing * COUNTER_BYTES)
  }

  /** Copies the counters to shared memory. */
  #publishCounts(): void {
    const program = this.#program
    this.#counts.set(this.#memory.counts)
    for (let entry = program.firstDirty(); entry !== 0; entry = program.nextDirty(entry)) {
      const id = program.interfaceId(entry)
      const block = this.#traffic[id]
      if (block === undefined) continue
      block.counts.set(this.#memory.interfaceCounts(id))
      const micros = program.lastKept(entry)
      if (micros > 0) block.keepLast(micros)
    }
    program.clearDirty()
  }

  #setRules(config: FilterConfig): void {
    const { include } = this.#filter
    this.#program.setRules(
      this.#options.everything ? 1 : 0,
      nameLengths(config),
      include.hasRequestRules || include.hasPods ? 1 : 0,
      include.hasHosts ? 1 : 0,
      include.isEmpty ? 0 : 1,
      config.include.minLatency * 1000,
      writeRules(this.#memory, config),
    )
  }
}
