/** Header fields as MessagePack, laid from the fields of the last scan (MessagePack specification, "Formats"). */
import { FIELD_BYTES, FIELDS_AT } from '../kernel-layout'

/**
 * Lays `count` fields as arrays of two strings. Their bytes are ASCII and without folds.
 *
 * A usual field takes as many bytes as on the wire: what is before its name and between name and value becomes their
 * headers, so it is copied in one go and patched.
 *
 *     wire      CR LF name ":" SP value
 *     pair      92 Ax name d9 xx  value
 *
 * May clobber up to 15 bytes after what it lays.
 *
 * @returns the address after them
 */
export function layFields(to: usize, count: usize): usize {
  const end = <usize>FIELDS_AT + count * FIELD_BYTES
  for (let field: usize = FIELDS_AT; field < end; field += FIELD_BYTES) {
    const name = load<usize>(field)
    const nameEnd = load<usize>(field, 4)
    const value = load<usize>(field, 8)
    const valueEnd = load<usize>(field, 12)
    if (value === nameEnd + 2 && nameEnd - name < 32 && valueEnd - value < 256) {
      copy(to, name - 2, valueEnd - name + 2)
      store<u8>(to, 0x92)
      store<u8>(to, 0xa0 | (nameEnd - name), 1)
      store<u16>(to + nameEnd - name, 0xd9 | ((valueEnd - value) << 8), 2)
      to += valueEnd - name + 2
    } else {
      store<u8>(to, 0x92)
      to = layString(layString(to + 1, name, nameEnd), value, valueEnd)
    }
  }
  return to
}

/** @returns the address after the string */
function layString(to: usize, start: usize, end: usize): usize {
  const length = end - start
  if (length < 32) store<u8>(to++, 0xa0 | length)
  else if (length < 256) {
    store<u16>(to, 0xd9 | (length << 8))
    to += 2
  } else if (length < 65_536) {
    store<u8>(to, 0xda)
    store<u16>(to, bswap<u16>(<u16>length), 1)
    to += 3
  } else {
    store<u8>(to, 0xdb)
    store<u32>(to, bswap<u32>(<u32>length), 1)
    to += 5
  }
  copy(to, start, length)
  return to + length
}

/** Copies 16 bytes a step; what is written and what is read do not overlap. */
function copy(to: usize, from: usize, length: usize): void {
  const end = from + length
  do {
    v128.store(to, v128.load(from))
    from += 16
    to += 16
  } while (from < end)
}
