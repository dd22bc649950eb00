/**
 * What a failure means for the pairs that wait. Judged by cause and code: kafkajs's own verdict (`retriable`, the class
 * name) calls a broker that is down "NonRetriable" although it comes back.
 *
 * Codes: https://kafka.apache.org/protocol#protocol_error_codes
 */

/**
 * - `away`: no answer from the broker; it comes back by itself
 * - `moved`: our picture of the cluster is out of date
 * - `retry`: the broker cannot take this now
 * - `refused`: the broker will never take at least one of these records
 * - `tooLarge`: as refused, for its size or the batch's
 * - `denied`: credentials or permissions; someone must act, so ask again, but slowly
 * - `missingTopic`: the topic is not there
 */
export type Trouble = 'away' | 'moved' | 'retry' | 'refused' | 'tooLarge' | 'denied' | 'missingTopic'

export const OFFSET_OUT_OF_RANGE = 1
export const CORRUPT_MESSAGE = 2
export const INVALID_RECORD = 87

const TROUBLE_BY_CODE: ReadonlyMap<number, Trouble> = new Map<number, Trouble>([
  [CORRUPT_MESSAGE, 'refused'], // what an invalid record is called below Produce v8
  [3, 'missingTopic'], // UNKNOWN_TOPIC_OR_PARTITION
  [5, 'moved'], // LEADER_NOT_AVAILABLE
  [6, 'moved'], // NOT_LEADER_OR_FOLLOWER
  [10, 'tooLarge'], // MESSAGE_TOO_LARGE
  [17, 'denied'], // INVALID_TOPIC_EXCEPTION
  [18, 'tooLarge'], // RECORD_LIST_TOO_LARGE
  [21, 'denied'], // INVALID_REQUIRED_ACKS
  [29, 'denied'], // TOPIC_AUTHORIZATION_FAILED
  [31, 'denied'], // CLUSTER_AUTHORIZATION_FAILED
  [32, 'refused'], // INVALID_TIMESTAMP
  [33, 'denied'], // UNSUPPORTED_SASL_MECHANISM
  [34, 'denied'], // ILLEGAL_SASL_STATE
  [44, 'denied'], // POLICY_VIOLATION
  [56, 'moved'], // KAFKA_STORAGE_ERROR
  [58, 'denied'], // SASL_AUTHENTICATION_FAILED
  [72, 'moved'], // LISTENER_NOT_FOUND
  [74, 'moved'], // FENCED_LEADER_EPOCH
  [75, 'moved'], // UNKNOWN_LEADER_EPOCH
  [76, 'denied'], // UNSUPPORTED_COMPRESSION_TYPE
  [INVALID_RECORD, 'refused'],
])

/** Of an error code in an answer; not for 0, which is none. */
export const troubleOfCode = (code: number): Trouble => TROUBLE_BY_CODE.get(code) ?? 'retry'

/** What kafkajs's errors may carry. */
interface Details {
  name?: unknown
  code?: unknown
  cause?: unknown
}

/** The protocol's error code in anything thrown; null where there is none. */
export function codeOf(error: unknown): number | null {
  for (let cause: unknown = error; cause instanceof Error; cause = (cause as Details).cause) {
    const { code } = cause as Details
    if (typeof code === 'number' && code > 0) return code
  }
  return null
}

/** Of anything thrown on the way to a broker. */
export function troubleOf(error: unknown): Trouble {
  const answered = codeOf(error)
  if (answered !== null) return troubleOfCode(answered)
  for (let cause: unknown = error; cause instanceof Error; cause = (cause as Details).cause) {
    const { name, code } = cause as Details
    if (name === 'KafkaJSSASLAuthenticationError' || name === 'KafkaJSUnsupportedMagicByteInMessageSet') return 'denied'
    if (isCertificateProblem(code, cause.message)) return 'denied'
  }
  return 'away'
}

/** TLS failures need a person: OpenSSL's verification codes and handshake alerts. */
const isCertificateProblem = (code: unknown, message: string): boolean =>
  (typeof code === 'string' && /CERT|^ERR_TLS|^ERR_SSL|^ERR_OSSL|^UNABLE_TO/.test(code)) || /certificate/i.test(message)

/** The most telling text of a failure, in one line. */
export function troubleText(error: unknown): string {
  let text = String(error)
  for (let cause: unknown = error; cause instanceof Error; cause = (cause as Details).cause) {
    if (cause.message !== '') text = cause.message
  }
  return text.replace(/^Connection error: /, '').replaceAll('\n', ' ')
}
