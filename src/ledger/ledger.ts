/**
 * The ledger: every stage's counters by name, summed over workers, with the sums that its laws speak of (contract, "The
 * ledger").
 */
import type { CounterLayout } from './counters.ts'

/** Plain counts are numbers, counts by reason objects of numbers. */
export interface Ledger {
  [name: string]: number | Ledger
}

export interface CounterBlock {
  layout: CounterLayout<Record<string, string>>
  values: Float64Array
}

/** Adds blocks up under their paths. Safe while workers run; exact once they have stopped. */
export function sumLedger(blocks: readonly CounterBlock[]): Ledger {
  const ledger: Ledger = {}
  for (const { layout, values } of blocks) {
    for (const [index, path] of layout.paths.entries()) add(ledger, path.split('.'), values[index])
  }
  return ledger
}

function add(ledger: Ledger, path: readonly string[], count: number): void {
  const [name, ...rest] = path
  if (rest.length === 0) {
    const before = ledger[name]
    ledger[name] = (typeof before === 'number' ? before : 0) + count
    return
  }
  const inner = ledger[name]
  const next = typeof inner === 'object' ? inner : {}
  ledger[name] = next
  add(next, rest, count)
}

/** The count at a path such as `pairs.kept`; a section's counts together; 0 where there is none. */
export function count(ledger: Ledger, path: string): number {
  let at: number | Ledger | undefined = ledger
  for (const name of path.split('.')) at = typeof at === 'object' ? at[name] : undefined
  return total(at)
}

function total(value: number | Ledger | undefined): number {
  if (typeof value !== 'object') return value ?? 0
  return Object.values(value).reduce((sum: number, inner) => sum + total(inner), 0)
}

/** A law that does not hold: what both sides are. */
export interface BrokenLaw {
  law: string
  left: number
  right: number
}

const LAWS: readonly [string, readonly string[]][] = [
  ['frames.seen', ['frames.queued', 'frames.skipped', 'frames.dropped']],
  ['flows.seen', ['flows.open', 'flows.closed']],
  ['messages.requests', ['pairs.assembled', 'requests.abandoned', 'requests.waiting']],
  ['messages.responses', ['pairs.assembled', 'responses.orphaned']],
  ['pairs.assembled', ['pairs.kept', 'pairs.filtered']],
  ['pairs.kept', ['pairs.shipped', 'pairs.dropped', 'pairs.queued']],
]

/** The laws of the contract that a ledger breaks; none, after a run. While responses are in progress the fourth is late. */
export function brokenLaws(ledger: Ledger): BrokenLaw[] {
  return LAWS.map(([left, right]) => ({
    law: `${left} = ${right.join(' + ')}`,
    left: count(ledger, left),
    right: right.reduce((sum, path) => sum + count(ledger, path), 0),
  })).filter(({ left, right }) => left !== right)
}
