/** The extent of Zstandard frames (RFC 8878 §3.1), without decoding them. */

const MAGIC_BYTES = 4
const MAGIC = 0xfd2fb528
/** The upper 28 bits of the magic number of skippable frames (§3.1.2). */
const SKIPPABLE_MAGIC = 0x184d2a5
const BLOCK_HEADER_BYTES = 3
const CHECKSUM_BYTES = 4
/** Block types (§3.1.1.2.2). A block of the first kind repeats one byte; the other is not allowed. */
const RLE_BLOCK = 1
const RESERVED_BLOCK = 3

/** Whether `bytes` are one or more frames from their beginning to their end. */
export function isWholeZstd(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  while (at < bytes.length) {
    const end = frameEnd(view, at)
    if (end === null || end > bytes.length) return false
    at = end
  }
  return bytes.length > 0
}

/** @returns the offset behind the frame that begins at `at`; null where it does not end or is none */
function frameEnd(view: DataView, at: number): number | null {
  // The shortest header, of a skippable frame too, and what follows its magic number.
  if (at + MAGIC_BYTES + 1 > view.byteLength) return null
  const magic = view.getUint32(at, true)
  if (magic >>> 4 === SKIPPABLE_MAGIC) {
    const content = at + MAGIC_BYTES + 4
    return content > view.byteLength ? null : content + view.getUint32(at + MAGIC_BYTES, true)
  }
  return magic === MAGIC ? blocksEnd(view, at + MAGIC_BYTES) : null
}

/** @param at of the frame header's descriptor (§3.1.1.1.1) @returns as `frameEnd` */
function blocksEnd(view: DataView, at: number): number | null {
  const descriptor = view.getUint8(at)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const contentSize = descriptor >> 6
  const contentSizeBytes = contentSize === 0 ? (isSingleSegment ? 1 : 0) : 1 << contentSize
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]
  let block = at + 1 + (isSingleSegment ? 0 : 1) + dictionaryBytes + contentSizeBytes
  for (;;) {
    if (block + BLOCK_HEADER_BYTES > view.byteLength) return null
    const header = view.getUint16(block, true) | (view.getUint8(block + 2) << 16)
    const type = (header >> 1) & 3
    if (type === RESERVED_BLOCK) return null
    block += BLOCK_HEADER_BYTES + (type === RLE_BLOCK ? 1 : header >> 3)
    if ((header & 1) === 1) break
  }
  return (descriptor & 4) === 0 ? block : block + CHECKSUM_BYTES
}
