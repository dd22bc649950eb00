/**
 * How `limits.memory` is divided. It bounds what the pipeline holds of other people's bytes: rings between threads,
 * what assemblers keep for later, what waits for Kafka. Kernel rings (`capture.ringBytes` each) and Node itself come on
 * top.
 */
import { usageError } from '../errors.ts'

export interface Budget {
  /** Capture workers whose rings fit: as many as were asked for, where memory is not short. */
  captures: number
  /** One frame ring, between one capture worker and one assembler. */
  frameRingBytes: number
  /** One pair ring, between one assembler and the shipper. */
  pairRingBytes: number
  /** What one assembler holds: messages waiting, segments behind holes. */
  poolBytes: number
}

const MIB = 1024 * 1024
const LARGEST_FRAME_RING = 4 * MIB
const LEAST_PAIR_RING = 4 * MIB
const LEAST_FRAME_RING = 2 * MIB
const LEAST_POOL = 4 * MIB
/** Pools below this many times the least are worth smaller rings and fewer capture workers. */
const COMFORT = 4

/**
 * @param memory, bufferBytes, pairBytes `limits.memory`, `ship.bufferBytes`, `limits.pairBytes`
 * @param captures capture workers wanted; one takes several interfaces where there are fewer
 * @throws InterceptorError (usage) when the parts do not fit
 */
export function divideMemory(
  memory: number,
  bufferBytes: number,
  pairBytes: number,
  captures: number,
  assemblers: number,
): Budget {
  // A record takes at most half its ring. Encoding adds some hundred bytes to a pair; one that doubles, being nothing but
  // header bytes over 127, may not fit, and is counted as dropped by the ring.
  const pairRingBytes = powerOfTwo(Math.max(LEAST_PAIR_RING, 3 * pairBytes))
  let frameRingBytes = Math.max(LEAST_FRAME_RING, powerOfTwo(LARGEST_FRAME_RING / assemblers))
  let fitting = captures
  const left = (): number => memory - bufferBytes - assemblers * (pairRingBytes + fitting * frameRingBytes)
  const isShort = (): boolean => left() < assemblers * LEAST_POOL * COMFORT
  if (isShort()) frameRingBytes = LEAST_FRAME_RING
  while (isShort() && fitting > 1) fitting -= 1
  const poolBytes = Math.floor(left() / assemblers / MIB) * MIB
  if (poolBytes < LEAST_POOL) {
    const wanted = memory - left() + assemblers * LEAST_POOL
    throw usageError(
      `limits.memory is too small for this many workers and interfaces: at least ${Math.ceil(wanted / MIB)}MiB`,
    )
  }
  return { captures: fitting, frameRingBytes, pairRingBytes, poolBytes }
}

function powerOfTwo(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes))
}
