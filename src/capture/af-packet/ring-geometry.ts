/**
 * The division of a kernel ring into blocks, and the time after which the kernel retires a block that is not full.
 *
 * The kernel closes a block when it is full, and every RETIRE_MS a block that is not empty. No frame is added to a
 * closed block. While the worker pauses, the ring therefore loses at least one block per RETIRE_MS, however few frames
 * arrive.
 */

import { MAX_FRAME_BYTES } from '../../ring/layout.ts'

/**
 * The kernel retires a block that is not full after this time. Frames do not wait for it: the reader reads them from
 * the open block. So the time may be long: even if the worker pauses for ten seconds, the default ring can hold 7.6 MiB
 * of frames.
 */
export const RETIRE_MS = 4000
/**
 * After this time the kernel has written every frame to which it had assigned a place in a block, a frame that passed a
 * filter has reached its ring, and a new binding applies to every frame.
 */
export const SETTLE_MS = 20

/** Room in a block beside one frame, for the headers of the block, the frame and the link layer. */
const BLOCK_HEADROOM = 4096
const MIN_BLOCK_BYTES = 64 * 1024
const MIN_BLOCKS = 2
/** Blocks of the default ring of 8 MiB. A ring with fewer survives only short pauses. */
const ENOUGH_BLOCKS = 64
/**
 * A block of this size holds every frame except those of BIG TCP, which are truncated unless the ring has room for
 * enough larger blocks.
 */
const ORDINARY_BLOCK_BYTES = 128 * 1024

/**
 * @param ringBytes limit of the ring's size, except that there are at least two blocks
 * @param snapLength bytes captured of a frame; values over the largest BIG TCP frame have no effect. A block holds as many
 *   if the ring has room for ENOUGH_BLOCKS of that size
 */
export function ringShape(ringBytes: number, snapLength: number): { blockBytes: number; blockCount: number } {
  const frameBytes = Math.min(snapLength, MAX_FRAME_BYTES)
  let blockBytes = MIN_BLOCK_BYTES
  while (blockBytes < frameBytes + BLOCK_HEADROOM) blockBytes *= 2
  while (blockBytes > ORDINARY_BLOCK_BYTES && ringBytes < ENOUGH_BLOCKS * blockBytes) blockBytes /= 2
  return { blockBytes, blockCount: Math.max(MIN_BLOCKS, Math.floor(ringBytes / blockBytes)) }
}
