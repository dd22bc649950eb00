/**
 * The program that computes CRC-32C (Castagnoli; RFC 3720 §12.1) of bytes that the host (../crc32c.ts) writes to its
 * input in blocks.
 *
 * A CRC is the remainder of a division of polynomials, and this polynomial divides
 *
 *     x^209 + x^144 + x^54 + x^39 + x^14 + 1
 *
 * and so its 16th power, in which the exponents are 16 times as large. So each byte can be removed if it is added to
 * five later bytes, and the remainder stays as it is: whole vectors at a time, without a table and without shifts (S.
 * Russell, "Chorba: A novel CRC32 implementation", 2024). What the last 418 bytes have become is divided as usual, with
 * tables for eight bytes at a time.
 */

/** How far behind a byte those are that were added to it: 2 · (209 − each exponent). */
const LAG_1: usize = 130
const LAG_2: usize = 310
const LAG_3: usize = 340
const LAG_4: usize = 390
const WINDOW: usize = 418
/** Room for WINDOW bytes and a vector, and behind it for the vectors that begin in it. */
const WINDOW_ROOM: usize = 448
/** What `add` takes. */
const BLOCK: usize = 16_384
/** The polynomial, its bits reversed, without the highest. */
const POLYNOMIAL: u32 = 0x82f6_3b78

/** For each place of a byte in eight, what each of its values adds to the remainder. */
const TABLES: usize = memory.data(8 * 1024, 16)
/** The last bytes of the block before, then the input. */
const HISTORY: usize = memory.data(<i32>(WINDOW_ROOM + BLOCK + 2 * WINDOW_ROOM), 16)
const INPUT: usize = HISTORY + WINDOW_ROOM
/** The end of the input, with what was added to it. */
const REST: usize = memory.data(<i32>WINDOW_ROOM, 16)

/** Where the host writes. */
export function input(): usize {
  return INPUT
}

/** The bytes that `add` takes. */
export function blockBytes(): usize {
  return BLOCK
}

/** The most bytes that `finish` takes. */
export function lastBytes(): usize {
  return BLOCK + WINDOW_ROOM
}

/** Begins with the first bytes in the input, at least 4. */
export function begin(): void {
  memory.fill(HISTORY, 0, WINDOW_ROOM)
  store<u32>(INPUT, ~load<u32>(INPUT))
}

/** Removes all bytes of a block. More than WINDOW_ROOM bytes follow. */
export function add(): void {
  remove(INPUT + BLOCK)
  memory.copy(HISTORY, INPUT + BLOCK - WINDOW_ROOM, WINDOW_ROOM)
}

/** @param length of the last bytes @returns the CRC */
export function finish(length: usize): u32 {
  const removed = length > WINDOW ? (length - WINDOW) & ~15 : 0
  const end = INPUT + removed
  const rest = length - removed
  remove(end)
  // Only what was removed is added to the rest, not the rest to itself.
  memory.copy(REST, end, WINDOW_ROOM)
  memory.fill(end, 0, WINDOW_ROOM)
  for (let at: usize = 0; at < rest; at += 16) {
    v128.store(REST + at, v128.xor(v128.load(REST + at), added(end + at)))
  }
  return ~divide(REST, REST + rest)
}

/** Removes the bytes from the input's begin to `end`. */
function remove(end: usize): void {
  for (let at = INPUT; at < end; at += 16) v128.store(at, v128.xor(v128.load(at), added(at)))
}

/** What the bytes before `at` add to the 16 from there on. */
function added(at: usize): v128 {
  const near = v128.xor(v128.load(at - LAG_1), v128.load(at - LAG_2))
  const far = v128.xor(v128.load(at - LAG_3), v128.load(at - LAG_4))
  return v128.xor(v128.load(at - WINDOW), v128.xor(near, far))
}

function divide(from: usize, end: usize): u32 {
  let crc: u32 = 0
  let at = from
  for (; at + 8 <= end; at += 8) {
    const low = load<u32>(at) ^ crc
    const high = load<u32>(at + 4)
    crc =
      term(7, low) ^
      term(6, low >> 8) ^
      term(5, low >> 16) ^
      term(4, low >> 24) ^
      term(3, high) ^
      term(2, high >> 8) ^
      term(1, high >> 16) ^
      term(0, high >> 24)
  }
  for (; at < end; at += 1) crc = (crc >> 8) ^ term(0, crc ^ load<u8>(at))
  return crc
}

/** @param following how many bytes follow in the eight */
function term(following: usize, byte: u32): u32 {
  return load<u32>(TABLES + (following << 10) + ((<usize>byte & 255) << 2))
}

function fillTables(): void {
  for (let byte: u32 = 0; byte < 256; byte += 1) {
    let crc = byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >> 1) ^ POLYNOMIAL : crc >> 1
    store<u32>(TABLES + ((<usize>byte) << 2), crc)
  }
  for (let at = TABLES + 1024; at < TABLES + 8 * 1024; at += 4) {
    const crc = load<u32>(at - 1024)
    store<u32>(at, (crc >> 8) ^ term(0, crc))
  }
}

fillTables()
