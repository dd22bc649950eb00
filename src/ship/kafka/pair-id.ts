/** Finds a pair's id in its MessagePack form without decoding it: a pair always begins `{"v": 1, "id": "…"`. */

const FIXMAP = 0x80
const MAP16 = 0xde
const FIXSTR = 0xa0
const STR8 = 0xd9

/** `"v": <positive fixint>, "id":` without the value of v. */
const V_KEY = [0xa1, 0x76]
const ID_KEY = [0xa2, 0x69, 0x64]

/**
 * @returns the id's first byte in `bytes`; its length is the byte's five low bits before it, or the whole byte after a
 *   str 8 mark: use `idLength`. −1: the pair has no id there
 */
export function findId(bytes: Uint8Array, start: number, length: number): number {
  if (length < 10) return -1
  const mark = bytes[start]
  let at = start + 1
  if (mark === MAP16) at += 2
  else if ((mark & 0xf0) !== FIXMAP) return -1
  if (bytes[at] !== V_KEY[0] || bytes[at + 1] !== V_KEY[1] || bytes[at + 2] > 0x7f) return -1
  at += 3
  if (bytes[at] !== ID_KEY[0] || bytes[at + 1] !== ID_KEY[1] || bytes[at + 2] !== ID_KEY[2]) return -1
  at += 3
  const from = bytes[at] === STR8 ? at + 2 : at + 1
  if (bytes[at] !== STR8 && (bytes[at] & 0xe0) !== FIXSTR) return -1
  return from + idLength(bytes, from) <= start + length ? from : -1
}

/** Length in bytes of the id that `findId` found at `at`. */
export function idLength(bytes: Uint8Array, at: number): number {
  const before = bytes[at - 1]
  return bytes[at - 2] === STR8 ? before : before & 0x1f
}
