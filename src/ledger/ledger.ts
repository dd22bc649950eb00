/**
 * The ledger: every stage's counters by name, summed over workers (docs/ledger.md).
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
    for (const [index, names] of layout.names.entries()) add(ledger, names, values[index])
  }
  return ledger
}

/** @param names in the path */
function add(ledger: Ledger, names: readonly string[], count: number): void {
  const last = names.length - 1
  let at = ledger
  for (let depth = 0; depth < last; depth += 1) {
    const inner = at[names[depth]]
    const next = typeof inner === 'object' ? inner : {}
    at[names[depth]] = next
    at = next
  }
  const before = at[names[last]]
  at[names[last]] = (typeof before === 'number' ? before : 0) + count
}

/** The count at a path such as `pairs.kept`; a section's counts together; 0 where there is none. */
export const count = (ledger: Ledger, path: string): number => total(valueAt(ledger, path))

/** The counts by reason at a path such as `pairs.filtered` that are not 0, the largest first. */
export function reasonsOf(ledger: Ledger, path: string): Record<string, number> {
  const list = valueAt(ledger, path)
  if (typeof list !== 'object') return {}
  const counts = Object.entries(list).map(([reason, value]) => [reason, total(value)] as const)
  return Object.fromEntries(counts.filter(([, value]) => value > 0).sort((left, right) => right[1] - left[1]))
}

function valueAt(ledger: Ledger, path: string): number | Ledger | undefined {
  let at: number | Ledger | undefined = ledger
  for (const name of path.split('.')) at = typeof at === 'object' ? at[name] : undefined
  return at
}

function total(value: number | Ledger | undefined): number {
  if (typeof value !== 'object') return value ?? 0
  return Object.values(value).reduce((sum: number, inner) => sum + total(inner), 0)
}
