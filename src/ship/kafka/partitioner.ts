/**
 * Chooses a pair's partition and the record's key. A key is a hash as eight hexadecimal digits, and its partition is
 * the one that Kafka's default partitioner computes, so that another producer with the same keys chooses the same
 * partitions.
 */

export type PartitionBy = 'connection' | 'server' | 'round-robin'

export interface Partitioner {
  /** The record's key for the pair last assigned; one buffer, overwritten each time. Null: records have no key. */
  readonly key: Uint8Array | null
  /**
   * @param connection,server uint32 hashes
   * @param partitions their number, at least 1
   * @returns the partition's number
   */
  assign(connection: number, server: number, partitions: number): number
}

/** @param by `kafka.partitionBy`; `round-robin` gives records no key */
export function createPartitioner(by: PartitionBy): Partitioner {
  if (by === 'round-robin') return roundRobin()
  const key = new Uint8Array(8)
  return {
    key,
    assign(connection, server, partitions) {
      writeHex(key, by === 'connection' ? connection : server)
      return (murmur2(key) & 0x7fffffff) % partitions
    },
  }
}

function roundRobin(): Partitioner {
  let next = 0
  return {
    key: null,
    assign(_connection, _server, partitions) {
      next = (next + 1) % partitions
      return next
    },
  }
}

const HEX = new TextEncoder().encode('0123456789abcdef')

function writeHex(key: Uint8Array, hash: number): void {
  for (let digit = 0; digit < 8; digit += 1) key[digit] = HEX[(hash >>> (28 - 4 * digit)) & 15]
}

const SEED = 0x9747b28c
const M = 0x5bd1e995

/**
 * Kafka's murmur2 (org.apache.kafka.common.utils.Utils), for keys whose length is a multiple of 4.
 *
 * @returns int32
 */
export function murmur2(key: Uint8Array): number {
  let hash = SEED ^ key.length
  for (let at = 0; at < key.length; at += 4) {
    const word = key[at] | (key[at + 1] << 8) | (key[at + 2] << 16) | (key[at + 3] << 24)
    const mixed = Math.imul(word, M)
    hash = Math.imul(hash, M) ^ Math.imul(mixed ^ (mixed >>> 24), M)
  }
  hash = Math.imul(hash ^ (hash >>> 13), M)
  return hash ^ (hash >>> 15)
}
