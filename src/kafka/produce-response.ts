/**
 * Decodes responses to produce requests, version 7 (https://kafka.apache.org/protocol#The_Messages_Produce): they come
 * as often as the requests, and kafkajs needs several promises for each partition. Pure.
 *
 *     count of topics i32, for each: name (length i16, UTF-8) · count of partitions i32, for each:
 *         0 partition i32 · 4 error code i16 · 6 base offset i64 · 14 log append time i64 · 22 log start offset i64
 *     then throttle time i32, ms
 *
 * A broker responds in the version of the request (KIP-35), whose fields are fixed: only from version 9 on may fields
 * be added to a response (KIP-482). Where a broker adds bytes nevertheless, they are ignored, as by other clients: its
 * decision is known, and sending the batches again would store them twice.
 */
import { BadResponseError } from './errors.ts'

const PARTITION_BYTES = 30
const ERROR_CODE_AT = 4

/** One partition's response to its batch: 0 or an error code. */
export interface PartitionResponse {
  partition: number
  errorCode: number
}

export interface ProduceResponse {
  partitions: readonly PartitionResponse[]
  /** How long the broker asks this client to pause (KIP-219), milliseconds. */
  throttleMs: number
}

/**
 * @param payload a response behind its correlation id
 * @throws BadResponseError when it is shorter than its counts and lengths
 */
export function decodeProduceResponse(payload: Buffer): ProduceResponse {
  const partitions: PartitionResponse[] = []
  let at = 4
  for (let topics = countAt(payload, 0); topics > 0; topics -= 1) {
    at += 2 + nameBytesAt(payload, at)
    const end = at + 4 + countAt(payload, at) * PARTITION_BYTES
    requireBytes(payload, end)
    for (at += 4; at < end; at += PARTITION_BYTES) {
      partitions.push({ partition: payload.readInt32BE(at), errorCode: payload.readInt16BE(at + ERROR_CODE_AT) })
    }
  }
  requireBytes(payload, at + 4)
  return { partitions, throttleMs: payload.readInt32BE(at) }
}

/** Kafka sends no absent array here, which a count of −1 would be. */
function countAt(payload: Buffer, at: number): number {
  requireBytes(payload, at + 4)
  const count = payload.readInt32BE(at)
  if (count < 0) throw new BadResponseError(`a response claims ${count} elements`)
  return count
}

function nameBytesAt(payload: Buffer, at: number): number {
  requireBytes(payload, at + 2)
  const bytes = payload.readInt16BE(at)
  if (bytes < 0) throw new BadResponseError(`a response claims a name of ${bytes} bytes`)
  return bytes
}

function requireBytes({ length }: Buffer, end: number): void {
  if (end > length) throw new BadResponseError('a response is shorter than it claims')
}
