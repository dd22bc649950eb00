/** All counter blocks of a run, and the ledger that is their sum. Main thread. */
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS, SHIP_COUNTERS } from './counters.ts'
import { type CounterBlock, count, type Ledger, sumLedger } from './ledger.ts'

const { index: A } = ASSEMBLE_COUNTERS
const { index: C } = CAPTURE_COUNTERS
const { index: S } = SHIP_COUNTERS

/** A part of the run with counter blocks of its own, whose number changes during the run. */
export interface CounterSource {
  readonly blocks: readonly CounterBlock[]
  /** Blocks of interfaces that are being captured. Metrics show these one by one, not in the sum of `blocks`. */
  readonly interfaceBlocks?: readonly CounterBlock[]
}

export class RunLedger {
  /** The shipper's counters, in the layout of SHIP_COUNTERS. */
  readonly ship = allocateCounters(SHIP_COUNTERS)
  readonly #sources: CounterSource[] = []
  readonly #assemble: CounterBlock[] = []

  /** Adds the counters of another part of the run. */
  addSource(source: CounterSource): void {
    this.#sources.push(source)
  }

  /** Allocates another assembler's block, with the layout of ASSEMBLE_COUNTERS. */
  newAssembleBlock(): Float64Array {
    const values = allocateCounters(ASSEMBLE_COUNTERS)
    this.#assemble.push({ layout: ASSEMBLE_COUNTERS, values })
    return values
  }

  /** Every block, except those of interfaces that are being captured. */
  get blocks(): CounterBlock[] {
    return [
      ...this.#sources.flatMap(({ blocks }) => blocks),
      ...this.#assemble,
      { layout: SHIP_COUNTERS, values: this.ship },
    ]
  }

  get ledger(): Ledger {
    return sumLedger([...this.blocks, ...this.#sources.flatMap(({ interfaceBlocks }) => interfaceBlocks ?? [])])
  }

  /** `frames.queued`, for those who need it so often that adding up everything costs too much. */
  get framesQueued(): number {
    let queued = 0
    for (const { blocks, interfaceBlocks = [] } of this.#sources) {
      for (const list of [blocks, interfaceBlocks]) {
        for (const { layout, values } of list) if (layout === CAPTURE_COUNTERS) queued += values[C.queued]
      }
    }
    return queued
  }

  /**
   * Counts as lost the frames and pairs that stopped or crashed workers left in a ring. Every worker must have ended.
   *
   * @param reason the counter to which they are added
   */
  countLeftovers(reason: 'shutdown' | 'crash'): void {
    const { ledger } = this
    const frames = count(ledger, 'frames.queued') - count(ledger, 'frames.consumed') - count(ledger, 'frames.lost')
    const pairs = count(ledger, 'pairs.kept') - count(ledger, 'pairs.shipped') - count(ledger, 'pairs.dropped')
    const isStop = reason === 'shutdown'
    const [assembler] = this.#assemble
    if (assembler !== undefined) assembler.values[isStop ? A.framesLostShutdown : A.framesLostCrash] += frames
    this.ship[S.queued] = 0
    this.ship[isStop ? S.droppedShutdown : S.droppedCrash] += pairs
  }
}
