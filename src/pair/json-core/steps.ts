/** Comparing and copying in steps of 16 bytes, which read or write up to 15 bytes past the end. */

/** Whether the `length` bytes at `a` and `b` are the same. */
export function isSame(a: usize, b: usize, length: usize): bool {
  for (let done: usize = 0; done < length; done += 16) {
    const same = i8x16.bitmask(i8x16.eq(v128.load(a + done), v128.load(b + done)))
    const left = length - done
    const wanted = left < 16 ? (1 << (<u32>left)) - 1 : 0xffff
    if ((same & wanted) !== wanted) return false
  }
  return true
}

/** Copies `length` bytes, at least one. */
export function copyShort(to: usize, from: usize, length: usize): void {
  const end = from + length
  do {
    v128.store(to, v128.load(from))
    from += 16
    to += 16
  } while (from < end)
}
