/** Writes integers in decimal. */

/** Digits written at once: 10^8 fits into 32 bits. */
const CHUNK: u64 = 100_000_000
const CHUNK_DIGITS: u32 = 8
const DIGIT_ZERO: u32 = 48

/** @param value at most 2^53 - 1 @returns the address after it */
export function writeDecimal(to: usize, value: u64): usize {
  if (value < CHUNK) return writeDigits(to, <u32>value, digitCount(<u32>value))
  const high = <u32>(value / CHUNK)
  const after = writeDigits(to, high, digitCount(high))
  return writeDigits(after, <u32>(value % CHUNK), CHUNK_DIGITS)
}

function digitCount(value: u32): u32 {
  if (value < 10) return 1
  if (value < 100) return 2
  if (value < 1_000) return 3
  if (value < 10_000) return 4
  if (value < 100_000) return 5
  if (value < 1_000_000) return 6
  return value < 10_000_000 ? 7 : 8
}

/** Writes the last `digits` digits, with leading zeros. */
function writeDigits(to: usize, value: u32, digits: u32): usize {
  const end = to + digits
  let rest = value
  for (let at = end; at > to; ) {
    at--
    const next = rest / 10
    store<u8>(at, <u8>(DIGIT_ZERO + rest - next * 10))
    rest = next
  }
  return end
}
