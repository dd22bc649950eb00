/** The pool and the lists as a separate program for tests. Chains are addresses of records that are initially zero. */
import {
  allocate,
  capacity,
  freePages,
  isLow,
  LARGEST_CELL_BYTES,
  openPool,
  PAGE_RECORD_BYTES,
  release,
  usedBytes,
} from '../../../../src/assemble/core/memory/cells'
import { append, Chain, claim, copyOut, filled, free } from '../../../../src/assemble/core/memory/chain'
import {
  append as appendRecord,
  newestIn,
  oldestIn,
  openLists,
  remove as removeRecord,
} from '../../../../src/assemble/core/memory/list'
import { Region } from '../../../../src/assemble/core/memory/regions'

export {
  allocate,
  append,
  appendRecord,
  capacity,
  claim,
  copyOut,
  filled,
  free,
  freePages,
  isLow,
  newestIn,
  oldestIn,
  release,
  removeRecord,
  usedBytes,
}

export const LARGEST_CELL: i32 = <i32>LARGEST_CELL_BYTES
export const SIZE_OF_CHAIN: i32 = <i32>offsetof<Chain>()
/** The record of a page. */
export const SIZE_OF_PAGE: i32 = <i32>PAGE_RECORD_BYTES

/** Empties the lists, and a pool of so many pages at `pool`. @param lists, pages, roomy addresses of their tables */
export function open(lists: usize, pool: usize, pageCount: u32, pages: usize, roomy: usize): void {
  Region.lists = lists
  openLists()
  Region.pool = pool
  Region.pages = pages
  Region.roomy = roomy
  openPool(pageCount)
}

export function lengthOf(chain: Chain): usize {
  return chain.length
}
