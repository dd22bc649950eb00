/** Encodes parts of a pair as MessagePack: a message up to its body (see core/encode/pair.ts), and the id. */
import { copyShort } from '../../../wasm/copy'
import {
  ANOMALIES,
  ANOMALY_FOLDED,
  FIELD_BYTES,
  FIELD_COUNT,
  FIELDS_AT,
  FIRST_END,
  FIRST_START,
  MAJOR_VERSION,
  MINOR_VERSION,
  NON_ASCII,
  PART_BODY,
  PART_METHOD,
  PART_STATUS,
  PART_TARGET,
  PART_VERSION,
  RESULTS_AT,
  SECOND_END,
  SECOND_START,
  STATUS,
} from './layout'
import { arrayHeaderBytes, stringBytes, writeArrayHeader, writeAscii, writeFolded, writeText } from './messagepack'

/**
 * Encodes the message of the last scan up to its body's bytes; may overwrite 16 bytes beyond the end.
 *
 * @param parts address of the table of PART_ entries
 * @returns the address after the encoded bytes
 */
export function writeHead(to: usize, isResponse: bool, parts: usize): usize {
  const nonAscii = load<i32>(RESULTS_AT + NON_ASCII) !== 0
  const isFolded = (load<i32>(RESULTS_AT + ANOMALIES) & ANOMALY_FOLDED) !== 0
  const count = load<usize>(RESULTS_AT + FIELD_COUNT)
  let at = to
  if (isResponse) {
    at = writePart(at, parts + PART_STATUS)
    store<u16>(to + load<usize>(parts, PART_STATUS + 8), bswap<u16>(load<u16>(RESULTS_AT + STATUS)))
  } else {
    at = writePart(at, parts + PART_METHOD)
    at = writeAscii(at, load<usize>(RESULTS_AT + FIRST_START), load<usize>(RESULTS_AT + FIRST_END))
    at = writePart(at, parts + PART_TARGET)
  }
  at = writeWire(at, load<usize>(RESULTS_AT + SECOND_START), load<usize>(RESULTS_AT + SECOND_END), nonAscii)
  const version = at
  at = writePart(at, parts + PART_VERSION)
  const digits = version + load<usize>(parts, PART_VERSION + 8)
  store<u8>(digits, load<u8>(RESULTS_AT + MAJOR_VERSION))
  store<u8>(digits + 2, load<u8>(RESULTS_AT + MINOR_VERSION))
  at = writeFields(writeArrayHeader(at, count), count, nonAscii, isFolded)
  return writePart(at, parts + PART_BODY)
}

/**
 * How many bytes `writeHead` would write, found without doing so.
 *
 * @returns 0 where it cannot be found at once: a byte over 127, a line fold, a name of 32 bytes or more, a value not behind ": "
 */
export function plainHeadBytes(isResponse: bool, parts: usize): usize {
  const isFolded = (load<i32>(RESULTS_AT + ANOMALIES) & ANOMALY_FOLDED) !== 0
  if (load<i32>(RESULTS_AT + NON_ASCII) !== 0 || isFolded) return 0
  const count = load<usize>(RESULTS_AT + FIELD_COUNT)
  const fields = plainFieldBytes(count)
  if (fields === 0 && count > 0) return 0
  const second = load<usize>(RESULTS_AT + SECOND_END) - load<usize>(RESULTS_AT + SECOND_START)
  let bytes =
    fields +
    arrayHeaderBytes(count) +
    stringBytes(second) +
    partBytes(parts + PART_VERSION) +
    partBytes(parts + PART_BODY)
  if (isResponse) bytes += partBytes(parts + PART_STATUS)
  else {
    bytes += partBytes(parts + PART_METHOD) + partBytes(parts + PART_TARGET)
    bytes += stringBytes(load<usize>(RESULTS_AT + FIRST_END) - load<usize>(RESULTS_AT + FIRST_START))
  }
  return bytes
}

/**
 * Bytes of the encoded fields; 0 where one is not of the common form (writeFields), but for a value of 256 to 65,535 bytes, whose
 * header has one byte more.
 */
function plainFieldBytes(count: usize): usize {
  // Lengths of name, of what separates it from the value, and of the value.
  let sums = i32x4.splat(0)
  let longest = i32x4.splat(0)
  let shortest = i32x4(0, 2, 0, 0)
  const end = <usize>FIELDS_AT + count * FIELD_BYTES
  for (let field: usize = FIELDS_AT; field < end; field += FIELD_BYTES) {
    const places = v128.load(field)
    const lengths = i32x4.sub(i32x4.shuffle(places, places, 1, 2, 3, 3), places)
    longest = i32x4.max_s(longest, lengths)
    shortest = i32x4.min_s(shortest, lengths)
    // A comparison that holds is -1.
    sums = i32x4.sub(i32x4.add(sums, lengths), i32x4.gt_s(lengths, i32x4(0x7fffffff, 0x7fffffff, 255, 0x7fffffff)))
  }
  const isPlain =
    i32x4.extract_lane(longest, 0) < 32 &&
    i32x4.extract_lane(longest, 1) === 2 &&
    i32x4.extract_lane(shortest, 1) === 2 &&
    i32x4.extract_lane(longest, 2) < 65_536
  if (!isPlain) return 0
  return <usize>(i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 2)) + 4 * count
}

/** @returns the address after it */
function writePart(to: usize, part: usize): usize {
  const length = partBytes(part)
  copyShort(to, load<usize>(part), length)
  return to + length
}

function partBytes(part: usize): usize {
  return load<usize>(part, 4)
}

function writeWire(to: usize, start: usize, end: usize, nonAscii: bool): usize {
  return nonAscii ? writeText(to, start, end) : writeAscii(to, start, end)
}

/**
 * Encodes fields as arrays of two strings.
 *
 * A common field, ASCII and without line folds, is as long encoded as on the wire, so it is copied in one step and the
 * bytes around its name are replaced by the MessagePack headers.
 *
 *     wire      CR LF name ":" SP value
 *     pair      92 Ax name d9 xx  value
 */
function writeFields(to: usize, count: usize, nonAscii: bool, isFolded: bool): usize {
  const isPlain = !nonAscii && !isFolded
  const end = <usize>FIELDS_AT + count * FIELD_BYTES
  for (let field: usize = FIELDS_AT; field < end; field += FIELD_BYTES) {
    const name = load<usize>(field)
    const nameEnd = load<usize>(field, 4)
    const value = load<usize>(field, 8)
    const valueEnd = load<usize>(field, 12)
    if (isPlain && value === nameEnd + 2 && nameEnd - name < 32 && valueEnd - value < 256) {
      copyShort(to, name - 2, valueEnd - name + 2)
      store<u16>(to, 0xa092 | ((nameEnd - name) << 8))
      store<u16>(to + nameEnd - name, 0xd9 | ((valueEnd - value) << 8), 2)
      to += valueEnd - name + 2
    } else {
      store<u8>(to, 0x92)
      to = writeWire(to + 1, name, nameEnd, nonAscii)
      to = isFolded ? writeFolded(to, value, valueEnd) : writeWire(to, value, valueEnd, nonAscii)
    }
  }
  return to
}

/** Writes four words as 32 hexadecimal digits. */
export function writeId(to: usize, word0: u32, word1: u32, word2: u32, word3: u32): void {
  let bytes = i32x4.splat(bswap(word0))
  bytes = i32x4.replace_lane(bytes, 1, bswap(word1))
  bytes = i32x4.replace_lane(bytes, 2, bswap(word2))
  bytes = i32x4.replace_lane(bytes, 3, bswap(word3))
  const digits = i8x16(48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 97, 98, 99, 100, 101, 102)
  const high = i8x16.swizzle(digits, i8x16.shr_u(bytes, 4))
  const low = i8x16.swizzle(digits, v128.and(bytes, i8x16.splat(15)))
  v128.store(to, i8x16.shuffle(high, low, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23))
  v128.store(to, i8x16.shuffle(high, low, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16)
}
