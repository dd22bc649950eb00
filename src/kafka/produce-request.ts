/**
 * Encodes produce requests, the only ones not left to kafkajs, which needs ten times the CPU (docs/architecture.md).
 */

/** API key and version of the request: v7 is the first with zstd (KIP-110), and Kafka 2.1 and later support it. */
export const PRODUCE = 0
export const PRODUCE_VERSION = 7

/** Record batches for partitions that one broker leads, at most one each. */
export interface ProduceRequest {
  acks: 0 | 1 | -1
  partitions: readonly { partition: number; batch: readonly Uint8Array[]; bytes: number }[]
  /** Called when the request is about to be written: from then on a broker may receive it. */
  onSend?: () => void
}

/**
 * Encodes a produce request, version 7, as chunks to be written one after the other: size · header (api key, version,
 * correlation id, client id) · no transactional id · acks · timeout · one topic · for each partition its number, its
 * batch's size and its batch. https://kafka.apache.org/protocol#The_Messages_Produce
 *
 * @param timeoutMs how long the broker may wait for its replicas
 */
export function encodeProduceRequest(
  correlationId: number,
  clientId: Buffer,
  topic: string,
  timeoutMs: number,
  { acks, partitions }: ProduceRequest,
): Uint8Array[] {
  const topicBytes = Buffer.byteLength(topic)
  const headBytes = 14 + clientId.length + 2 + 2 + 4 + 4 + 2 + topicBytes + 4
  const total = partitions.reduce((sum, { bytes }) => sum + 8 + bytes, headBytes)
  const head = Buffer.allocUnsafe(headBytes)
  let at = head.writeInt32BE(total - 4, 0)
  at = head.writeInt16BE(PRODUCE, at)
  at = head.writeInt16BE(PRODUCE_VERSION, at)
  at = head.writeInt32BE(correlationId, at)
  at = head.writeInt16BE(clientId.length, at)
  at += clientId.copy(head, at)
  at = head.writeInt16BE(-1, at)
  at = head.writeInt16BE(acks, at)
  at = head.writeInt32BE(timeoutMs, at)
  at = head.writeInt32BE(1, at)
  at = head.writeInt16BE(topicBytes, at)
  at += head.write(topic, at)
  head.writeInt32BE(partitions.length, at)
  const chunks: Uint8Array[] = [head]
  for (const { partition, batch, bytes } of partitions) {
    const frame = Buffer.allocUnsafe(8)
    frame.writeInt32BE(partition, 0)
    frame.writeInt32BE(bytes, 4)
    chunks.push(frame, ...batch)
  }
  return chunks
}
