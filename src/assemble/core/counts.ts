/** The assembler's counters (src/ledger/counters.ts). counters.ts has the offset of each in the block. */
import { Region } from './memory/regions'

/** Adds one. @param counter offset of a counter (counters.ts) */
export function count(counter: usize): void {
  add(counter, 1)
}

/** @param counter offset of a counter @param more below 0 for what is open or waiting, such as `flowsOpen` */
export function add(counter: usize, more: f64): void {
  const at = Region.counts + counter
  store<f64>(at, load<f64>(at) + more)
}
