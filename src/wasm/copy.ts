/** Up to this length a loop over 16-byte steps is faster than `memory.copy` (measured). */
const LOOP_BYTES: usize = 256

/**
 * Copies `length` bytes; may overwrite up to 15 bytes after the target range, 16 where `length` is 0. The ranges must
 * not overlap.
 */
export function copy(to: usize, from: usize, length: usize): void {
  if (length > LOOP_BYTES) memory.copy(to, from, length)
  else copyShort(to, from, length)
}

/** The same for what is short nearly always: it does not look at the length first. */
export function copyShort(to: usize, from: usize, length: usize): void {
  const end = from + length
  do {
    v128.store(to, v128.load(from))
    from += 16
    to += 16
  } while (from < end)
}
