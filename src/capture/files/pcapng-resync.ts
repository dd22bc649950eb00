/**
 * Finds the next block of a pcapng file after damage: one whose length is repeated at its end, which is unlikely to be
 * a coincidence.
 */
import type { Window } from './window.ts'

const SECTION_HEADER_BYTES = [0x0a, 0x0d, 0x0d, 0x0a]
const BYTE_ORDER_MAGIC = 0x1a2b3c4d
/** Block types of the registry; 0 is reserved. */
const MAX_TYPE = 10
const MIN_BLOCK_BYTES = 16
/** Larger blocks are not searched for. */
const MAX_CANDIDATE_BYTES = 1024 * 1024
/** Bytes read beyond a candidate's end. With fewer, the candidate would be copied for every few bytes that are searched. */
const STRIDE_BYTES = 64 * 1024

/**
 * Blocks are padded to a multiple of 4; some writers omit the padding from the length (draft-ietf-opsawg-pcapng §3.1).
 */
export const padded = (length: number): number => (length + 3) & ~3

/**
 * Moves `window.begin` to the next plausible block, in the section's byte order or at the start of a new section.
 *
 * @param ended whether the file has ended
 * @returns false when the available bytes hold none; they are discarded as far as they were searched
 */
export function findBlock(window: Window, little: boolean, ended: boolean): boolean {
  for (; window.available >= MIN_BLOCK_BYTES; window.begin++) {
    const length = candidateLength(window, little)
    if (length === 0) continue
    if (length > window.available) {
      if (ended) continue
      window.wanted = length + STRIDE_BYTES
      return false
    }
    if (closes(window, length)) return true
  }
  window.wanted = MIN_BLOCK_BYTES
  if (ended) window.begin = window.end
  return false
}

/** @returns the length that a block at `window.begin` would have, 0 when none begins there */
function candidateLength(window: Window, little: boolean): number {
  const { view, begin } = window
  let order = little
  if (beginsSection(window)) {
    order = view.getUint32(begin + 8, true) === BYTE_ORDER_MAGIC
    if (!order && view.getUint32(begin + 8) !== BYTE_ORDER_MAGIC) return 0
  } else {
    const type = view.getUint32(begin, little)
    if (type === 0 || type > MAX_TYPE) return 0
  }
  const length = view.getUint32(begin + 4, order)
  return length < MIN_BLOCK_BYTES || length > MAX_CANDIDATE_BYTES ? 0 : padded(length)
}

const beginsSection = ({ bytes, begin }: Window): boolean =>
  SECTION_HEADER_BYTES.every((byte, i) => bytes[begin + i] === byte)

/** Both lengths are compared as bytes, so the byte order does not matter. */
const closes = ({ view, begin }: Window, length: number): boolean =>
  view.getUint32(begin + 4) === view.getUint32(begin + length - 4)
