/**
 * What a failed request means for the pairs that wait. Judged by cause and code: kafkajs's own verdict (`retriable`, the
 * class name) calls a broker that is down "NonRetriable" although it comes back.
 *
 * Codes: https://kafka.apache.org/protocol#protocol_error_codes
 */

/**
 * - `unreachable`: the broker does not answer; it recovers without us
 * - `badAnswer`: its answer violates the protocol; nothing learnt over this client can be trusted
 * - `staleMetadata`: the partitions' leaders have changed
 * - `temporary`: the broker cannot take this now
 * - `invalidRecord`: the broker will never accept at least one of these records
 * - `tooLarge`: as invalidRecord, for the size of a record or of the whole batch
 * - `refused`: credentials, permissions or settings; a person must act, so retry slowly
 * - `missingTopic`: the topic does not exist
 */
export type KafkaFailure =
  | 'unreachable'
  | 'badAnswer'
  | 'staleMetadata'
  | 'temporary'
  | 'invalidRecord'
  | 'tooLarge'
  | 'refused'
  | 'missingTopic'

export const OFFSET_OUT_OF_RANGE = 1
/** A batch whose checksum is wrong and, below Produce v8, also what a record the topic does not permit is answered with. */
export const CORRUPT_MESSAGE = 2
export const INVALID_RECORD = 87

const FAILURE_BY_CODE: ReadonlyMap<number, KafkaFailure> = new Map<number, KafkaFailure>([
  [CORRUPT_MESSAGE, 'invalidRecord'],
  [3, 'missingTopic'], // UNKNOWN_TOPIC_OR_PARTITION
  [5, 'staleMetadata'], // LEADER_NOT_AVAILABLE
  [6, 'staleMetadata'], // NOT_LEADER_OR_FOLLOWER
  [10, 'tooLarge'], // MESSAGE_TOO_LARGE
  [17, 'refused'], // INVALID_TOPIC_EXCEPTION
  [18, 'tooLarge'], // RECORD_LIST_TOO_LARGE
  [21, 'refused'], // INVALID_REQUIRED_ACKS
  [29, 'refused'], // TOPIC_AUTHORIZATION_FAILED
  [31, 'refused'], // CLUSTER_AUTHORIZATION_FAILED
  [32, 'invalidRecord'], // INVALID_TIMESTAMP
  [33, 'refused'], // UNSUPPORTED_SASL_MECHANISM
  [34, 'refused'], // ILLEGAL_SASL_STATE
  [44, 'refused'], // POLICY_VIOLATION
  [56, 'staleMetadata'], // KAFKA_STORAGE_ERROR
  [58, 'refused'], // SASL_AUTHENTICATION_FAILED
  [72, 'staleMetadata'], // LISTENER_NOT_FOUND
  [74, 'staleMetadata'], // FENCED_LEADER_EPOCH
  [75, 'staleMetadata'], // UNKNOWN_LEADER_EPOCH
  [76, 'refused'], // UNSUPPORTED_COMPRESSION_TYPE
  [INVALID_RECORD, 'invalidRecord'],
])

const BAD_ANSWER = 'BAD_ANSWER'

/** Bytes from a broker's port that no broker sends: a length out of bounds, an answer to no request. */
export class BadAnswerError extends Error {
  override readonly name = 'BadAnswerError'
  /** kafkajs passes on the code of a socket's error, not the error. */
  readonly code = BAD_ANSWER
}

/** Authentication cannot succeed, by the broker's word or before it was asked. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
}

/** The failure behind an error code of an answer; not for 0, which is success. */
export const failureOfCode = (code: number): KafkaFailure => FAILURE_BY_CODE.get(code) ?? 'temporary'

/** What kafkajs's errors may carry. */
interface Details {
  name?: unknown
  code?: unknown
  cause?: unknown
}

function* causesOf(error: unknown): Generator<Error & Details> {
  for (let cause: unknown = error; cause instanceof Error; cause = (cause as Details).cause) yield cause as never
}

/** The protocol's error code in anything thrown; null where there is none. */
export function codeOf(error: unknown): number | null {
  for (const { code } of causesOf(error)) {
    if (typeof code === 'number' && code > 0) return code
  }
  return null
}

/** The failure behind anything thrown on the way to a broker. */
export function failureOf(error: unknown): KafkaFailure {
  const code = codeOf(error)
  if (code !== null) return failureOfCode(code)
  for (const cause of causesOf(error)) {
    if (isRefusal(cause)) return 'refused'
    if (cause.name === 'KafkaJSBrokerNotFound') return 'staleMetadata'
    if (isBadAnswer(cause)) return 'badAnswer'
  }
  return 'unreachable'
}

/** An error without a code of Kafka's that only an answer out of order explains. */
const isBadAnswer = (error: Error & Details): boolean =>
  error.code === BAD_ANSWER ||
  // What Buffer and Array throw in kafkajs's decoders where an answer is shorter or longer than it claims.
  error instanceof RangeError ||
  error instanceof TypeError ||
  error.name === 'KafkaJSServerDoesNotSupportApiKey'

/** Authentication, and TLS where it needs a person: OpenSSL's verification codes and handshake alerts. */
const isRefusal = ({ name, code, message }: Error & Details): boolean =>
  name === 'RefusedError' ||
  name === 'KafkaJSSASLAuthenticationError' ||
  (typeof code === 'string' && /CERT|^ERR_TLS|^ERR_SSL|^ERR_OSSL|^UNABLE_TO/.test(code)) ||
  /certificate/i.test(message)

/** The innermost text of a failure, which says most, in one line. */
export function failureText(error: unknown): string {
  let text = String(error)
  for (const { message } of causesOf(error)) if (message !== '') text = message
  return text.replace(/^Connection error: /, '').replaceAll('\n', ' ')
}
