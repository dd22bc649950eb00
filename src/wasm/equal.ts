/** Whether the `length` bytes at `a` and `b` are the same, in steps of 16: reads up to 15 bytes past both. */
export function equal(a: usize, b: usize, length: usize): bool {
  for (let done: usize = 0; done < length; done += 16) {
    const same = i8x16.bitmask(i8x16.eq(v128.load(a + done), v128.load(b + done)))
    const left = length - done
    const wanted = left < 16 ? (1 << (<u32>left)) - 1 : 0xffff
    if ((same & wanted) !== wanted) return false
  }
  return true
}
