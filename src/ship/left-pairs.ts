/** Pairs that a shipper whose thread has ended leaves to the next one. */
import { type BatchMemorySource, countRecords, RecordBatch } from '../kafka/record-batch.ts'
import type { FromWorker } from '../thread/messages.ts'
import { BATCH, HeldMemory, PAIRS, viewHeld } from './held-memory.ts'
import { countPairs, PairQueue } from './pair-queue.ts'

/** Pairs in memory that was held when its shipper's thread ended. */
export function countLeftPairs(memories: Iterable<SharedArrayBuffer>): number {
  let pairs = 0
  for (const memory of memories) {
    const held = viewHeld(memory)
    pairs += held.kind === PAIRS ? countPairs(held) : countRecords(held)
  }
  return pairs
}

/** Where a shipper keeps its pairs. */
export interface Store {
  queue: PairQueue
  batches: BatchStore
}

/** Memory for record batches, and those that an earlier shipper left, none of them empty. */
export interface BatchStore {
  readonly source: BatchMemorySource
  readonly left: readonly RecordBatch[]
}

/**
 * Continues with what earlier shippers left.
 *
 * @param post as for HeldMemory
 */
export function openStore(left: readonly SharedArrayBuffer[], post: ((message: FromWorker) => void) | null): Store {
  const pieces = left.map(viewHeld)
  const memory = new HeldMemory(post, Math.max(0, ...pieces.map(({ id }) => id)) + 1)
  const source: BatchMemorySource = {
    allocate: (bytes) => memory.allocate(BATCH, bytes),
    release: (held, inUse) => memory.release(held, inUse),
  }
  const batches = pieces.filter(({ kind }) => kind === BATCH)
  for (const piece of batches) if (countRecords(piece) === 0) memory.release(piece)
  return {
    queue: new PairQueue(
      memory,
      pieces.filter(({ kind }) => kind === PAIRS),
    ),
    batches: {
      source,
      left: batches.filter((piece) => countRecords(piece) > 0).map((piece) => new RecordBatch(source, piece)),
    },
  }
}
