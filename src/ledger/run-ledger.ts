/** All counter blocks of a run, and the ledger that is their sum. Main thread. */

import type { CaptureSlot } from '../supervisor/capture-slot.ts'
import type { TargetSet } from '../supervisor/target-set.ts'
import { ASSEMBLE_COUNTERS, allocateCounters, SHIP_COUNTERS } from './counters.ts'
import { type CounterBlock, count, type Ledger, sumLedger } from './ledger.ts'

export class Books {
  /** Laid out by SHIP_COUNTERS. */
  readonly ship = allocateCounters(SHIP_COUNTERS)
  captures: readonly CaptureSlot[] = []
  targets: TargetSet | null = null
  readonly #assemble: CounterBlock[] = []

  /** Another assembler's block, laid out by ASSEMBLE_COUNTERS. */
  newAssembleBlock(): Float64Array {
    const values = allocateCounters(ASSEMBLE_COUNTERS)
    this.#assemble.push({ layout: ASSEMBLE_COUNTERS, values })
    return values
  }

  /** All but those of interfaces that are being captured. */
  get blocks(): CounterBlock[] {
    return [
      ...this.captures.flatMap(({ blocks }) => blocks),
      ...(this.targets?.blocks ?? []),
      ...this.#assemble,
      { layout: SHIP_COUNTERS, values: this.ship },
    ]
  }

  get ledger(): Ledger {
    const interfaces = this.targets?.observe().map(({ block }) => block) ?? []
    return sumLedger([...this.blocks, ...interfaces])
  }

  /**
   * Every worker has ended: pairs that one of them, stopped or crashed, had in hand or left in a ring are lost.
   *
   * @param why what their loss is counted under
   */
  settleShipping(why: 'shutdown' | 'crash'): void {
    const { ledger } = this
    const lost = count(ledger, 'pairs.kept') - count(ledger, 'pairs.shipped') - count(ledger, 'pairs.dropped')
    const { index } = SHIP_COUNTERS
    this.ship[index.queued] = 0
    this.ship[why === 'shutdown' ? index.droppedShutdown : index.droppedCrash] += lost
  }
}
