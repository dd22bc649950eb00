/**
 * Records of one size in a region: those that were freed first, linked by their first words, then those never used. A slab
 * has as many records as its owner may ever need, so that only a bound on the owners has to be checked.
 *
 *     free ──▶ record ──▶ record ──▶ 0         next ──▶ [never used … end)
 */

/** The state of one slab. */
@unmanaged
export class Slab {
  /** The first record freed, or 0. */
  free: usize
  /** The first record never used. */
  next: usize
  end: usize
  recordBytes: usize
  used: u32
}

/** Prepares a slab over the region [start, end). */
export function openSlab(slab: Slab, start: usize, end: usize, recordBytes: usize): void {
  slab.free = 0
  slab.next = start
  slab.end = end
  slab.recordBytes = recordBytes
  slab.used = 0
}

/** A record whose bytes are all 0. The slab must not be full: a trap is better than a record beyond its end. */
export function allocateRecord(slab: Slab): usize {
  let record = slab.free
  if (record !== 0) slab.free = load<usize>(record)
  else {
    record = slab.next
    slab.next = record + slab.recordBytes
    if (slab.next > slab.end) unreachable()
  }
  slab.used++
  clear(record, slab.recordBytes)
  return record
}

/** Frees a record that `allocateRecord` returned, once. Its first word becomes a link. */
export function freeRecord(slab: Slab, record: usize): void {
  store<usize>(record, slab.free)
  slab.free = record
  slab.used--
}

/**
 * Sets `bytes` bytes, at least 16, to 0: for a record of a few hundred bytes faster than `memory.fill`, which leaves
 * the program.
 */
function clear(at: usize, bytes: usize): void {
  const last = at + bytes - 16
  for (; at < last; at += 16) v128.store(at, i64x2.splat(0))
  v128.store(last, i64x2.splat(0))
}
