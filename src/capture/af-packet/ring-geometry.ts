/** How a kernel ring is divided into blocks, and when the kernel hands over one that is not full. */

import { MAX_FRAME_BYTES } from '../../ring/layout.ts'

/** Blocks with something in them are handed over after this time although not full: the delay of a quiet interface. */
export const RETIRE_MS = 50
/** When no more frames come in, the last block is ours after this time: it is handed over when its timer runs next. */
export const DRAIN_MS = 2 * RETIRE_MS + 20

/** Room in a block beside one whole frame, for headers: of the block, of the frame, of the link layer. */
const BLOCK_HEADROOM = 4096
const MIN_BLOCK_BYTES = 64 * 1024
const MIN_BLOCKS = 2
/**
 * While a worker waits for a CPU each block lasts RETIRE_MS at most, however little is in it: with fewer than these, frames
 * are lost to a wait that is nothing unusual.
 */
const ENOUGH_BLOCKS = 8
/** Takes every frame but those of BIG TCP, which are cut where the ring is small. */
const ORDINARY_BLOCK_BYTES = 128 * 1024

/**
 * @param ringBytes size wanted; the answer is within it, except that two blocks are the least
 * @param snapLength bytes kept of a frame, all of which a block takes where the ring has room for enough of them; no frame
 *   is larger than BIG TCP makes them
 */
export function ringShape(ringBytes: number, snapLength: number): { blockBytes: number; blockCount: number } {
  const frameBytes = Math.min(snapLength, MAX_FRAME_BYTES)
  let blockBytes = MIN_BLOCK_BYTES
  while (blockBytes < frameBytes + BLOCK_HEADROOM) blockBytes *= 2
  while (blockBytes > ORDINARY_BLOCK_BYTES && ringBytes < ENOUGH_BLOCKS * blockBytes) blockBytes /= 2
  return { blockBytes, blockCount: Math.max(MIN_BLOCKS, Math.floor(ringBytes / blockBytes)) }
}
