/** Sets `bytes` bytes, at least 16, to 0: for a record of a few hundred bytes faster than `memory.fill`, which leaves the program. */
export function clear(at: usize, bytes: usize): void {
  const last = at + bytes - 16
  for (; at < last; at += 16) v128.store(at, i64x2.splat(0))
  v128.store(last, i64x2.splat(0))
}
