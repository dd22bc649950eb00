/**
 * How a kernel ring is divided into blocks, and when the kernel hands over one that is not full.
 *
 * The kernel closes a block when it is full, and a block that is not empty every RETIRE_MS. A closed block takes no further
 * frame. So a pause of the worker costs one block per RETIRE_MS, however few frames arrive, beside those that frames fill.
 */

import { MAX_FRAME_BYTES } from '../../ring/layout.ts'

/**
 * A block that is not full is handed over after this time: the delay of a quiet interface. In the default ring a pause of ten
 * seconds leaves 5 MiB for frames.
 */
export const RETIRE_MS = 400
/** Once no more frames arrive, the last block is handed over within this time: its timer runs twice at most. */
export const DRAIN_MS = 2 * RETIRE_MS + 20

/** Room in a block beside one whole frame, for the headers of the block, the frame and the link layer. */
const BLOCK_HEADROOM = 4096
const MIN_BLOCK_BYTES = 64 * 1024
const MIN_BLOCKS = 2
/** Of the default 8 MiB; a ring with fewer is for short pauses only. */
const ENOUGH_BLOCKS = 64
/** Holds every frame except those of BIG TCP, which are cut unless the ring has room for enough larger blocks. */
const ORDINARY_BLOCK_BYTES = 128 * 1024

/**
 * @param ringBytes wanted size; the result is within it, except that there are at least two blocks
 * @param snapLength bytes captured of a frame. A block holds all of them if the ring has room for enough such blocks; no frame
 *   is larger than BIG TCP allows
 */
export function ringShape(ringBytes: number, snapLength: number): { blockBytes: number; blockCount: number } {
  const frameBytes = Math.min(snapLength, MAX_FRAME_BYTES)
  let blockBytes = MIN_BLOCK_BYTES
  while (blockBytes < frameBytes + BLOCK_HEADROOM) blockBytes *= 2
  while (blockBytes > ORDINARY_BLOCK_BYTES && ringBytes < ENOUGH_BLOCKS * blockBytes) blockBytes /= 2
  return { blockBytes, blockCount: Math.max(MIN_BLOCKS, Math.floor(ringBytes / blockBytes)) }
}
