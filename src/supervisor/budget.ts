/**
 * Divides `limits.memory`, which bounds the captured bytes that the pipeline holds: in rings between threads, in the
 * assemblers' pools, and in the buffer for Kafka. Kernel rings (`capture.ringBytes` each) and Node.js itself are not
 * part of it.
 */
import { usageError } from '../errors.ts'

export interface Budget {
  /** Capture workers whose rings fit: as many as requested, unless memory is short. */
  captures: number
  /** One frame ring, between one capture worker and one assembler. */
  frameRingBytes: number
  /** One pair ring, between one assembler and the shipper. */
  pairRingBytes: number
  /** One assembler's pool, for messages that wait and segments behind holes. */
  poolBytes: number
}

const MIB = 1024 * 1024
/** Where the reader can wait. */
const LARGEST_FRAME_RING = 4 * MIB
const LEAST_PAIR_RING = 4 * MIB
/** Holds what an assembler finds in 100 ms at full speed, for a shipper that is cold or not scheduled. */
const LIVE_PAIR_RING = 16 * MIB
const LEAST_FRAME_RING = 2 * MIB
const LEAST_POOL = 4 * MIB
/** All frame rings together, where they have to hold bursts: what arrives while code is cold, or a thread is not scheduled. */
const BURST_SHARE = 1 / 4
/** Where pools would be smaller than this multiple of the smallest pool, rings are smaller and capture workers fewer. */
const COMFORT = 4

/** The limits of the configuration that the parts have to keep. Bytes. */
export interface MemoryLimits {
  /** `limits.memory`. */
  memory: number
  /** `ship.bufferBytes`. */
  bufferBytes: number
  /** `limits.pairBytes`. */
  pairBytes: number
}

/** The workers that the memory is divided between. */
export interface WorkerCounts {
  /** Capture workers requested; with fewer of them, one reads several interfaces. */
  captures: number
  assemblers: number
  /** Whether frames come from an interface, which cannot wait, instead of a file. */
  holdsBursts: boolean
}

/** @throws InterceptorError (EXIT_USAGE) when the parts do not fit */
export function divideMemory(limits: MemoryLimits, { captures, assemblers, holdsBursts }: WorkerCounts): Budget {
  const { memory, bufferBytes, pairBytes } = limits
  // A record is at most half its ring. Encoding adds some hundred bytes to a pair. A pair whose headers consist of bytes over
  // 127 may double, and then may not fit: it is counted as dropped by the ring.
  const leastPairRing = powerOfTwo(Math.max(LEAST_PAIR_RING, 3 * pairBytes))
  let pairRingBytes = holdsBursts ? Math.max(LIVE_PAIR_RING, leastPairRing) : leastPairRing
  let frameRingBytes = Math.max(LEAST_FRAME_RING, powerOfTwo(LARGEST_FRAME_RING / assemblers))
  while (holdsBursts && 2 * frameRingBytes * captures * assemblers <= memory * BURST_SHARE) frameRingBytes *= 2
  let fitting = captures
  const left = (): number => memory - bufferBytes - assemblers * (pairRingBytes + fitting * frameRingBytes)
  const isShort = (): boolean => left() < assemblers * LEAST_POOL * COMFORT
  if (isShort()) [frameRingBytes, pairRingBytes] = [LEAST_FRAME_RING, leastPairRing]
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
