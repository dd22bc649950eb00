/**
 * Classifies failed requests by what has to happen to the waiting pairs. The classification uses causes and codes, not
 * kafkajs's own (`retriable`, the class name), which calls a broker that is down "NonRetriable" although it may return.
 *
 * Codes: https://kafka.apache.org/protocol#protocol_error_codes
 */
import { plainText } from '../errors.ts'

/**
 * - `unreachable`: the broker does not respond; retry until it does
 * - `badResponse`: its response violates the protocol; nothing received through this client can be trusted
 * - `staleMetadata`: the partitions' leaders have changed
 * - `temporary`: the broker cannot accept the request now
 * - `invalidRecord`: the broker will never accept at least one of these records
 * - `tooLarge`: the same, because of the size of a record or of the whole batch
 * - `refused`: credentials, permissions or settings; a person must act, so retry slowly
 * - `missingTopic`: the topic does not exist
 */
export type KafkaFailure =
  | 'unreachable'
  | 'badResponse'
  | 'staleMetadata'
  | 'temporary'
  | 'invalidRecord'
  | 'tooLarge'
  | 'refused'
  | 'missingTopic'

/**
 * What a person looks at first, where a KafkaFailure is too coarse for that:
 *
 * - `unknownName`: a broker's host name cannot be resolved
 * - `closed`: the broker closed the connection
 * - `speaksTls`, `notTls`: the port expects TLS and the client does not, or the reverse
 * - `certificate`: the broker's certificate is not accepted, or the client's
 * - `permission`: this user may not do that
 * - `noSasl`: the port expects no authentication
 * - `topicName`, `policy`, `compression`: the name of the topic, its settings or the compression is not accepted
 * - `tokenFile`, `tokenCommand`: the source of the token fails
 * - `clientClosed`: this program has closed the client
 */
export type FailureCause =
  | 'unknownName'
  | 'closed'
  | 'speaksTls'
  | 'notTls'
  | 'certificate'
  | 'permission'
  | 'noSasl'
  | 'topicName'
  | 'policy'
  | 'compression'
  | TokenSource
  | 'clientClosed'
  | 'other'

/** The settings below `kafka.sasl` that give a token. */
export type TokenSource = 'tokenFile' | 'tokenCommand'

export const OFFSET_OUT_OF_RANGE = 1
/**
 * The checksum of a batch is wrong. Below Produce v8 it is also the response to a record that the topic does not
 * permit.
 */
export const CORRUPT_MESSAGE = 2
export const INVALID_TIMESTAMP = 32
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
  [INVALID_TIMESTAMP, 'invalidRecord'],
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

const BAD_RESPONSE = 'BAD_RESPONSE'
const TLS_RESPONSE = 'TLS_RESPONSE'
const CLIENT_CLOSED = 'CLIENT_CLOSED'

const CAUSE_BY_CODE: ReadonlyMap<unknown, FailureCause> = new Map<unknown, FailureCause>([
  [17, 'topicName'], // INVALID_TOPIC_EXCEPTION
  [29, 'permission'], // TOPIC_AUTHORIZATION_FAILED
  [30, 'permission'], // GROUP_AUTHORIZATION_FAILED
  [31, 'permission'], // CLUSTER_AUTHORIZATION_FAILED
  [34, 'noSasl'], // ILLEGAL_SASL_STATE
  [44, 'policy'], // POLICY_VIOLATION
  [76, 'compression'], // UNSUPPORTED_COMPRESSION_TYPE
  [CLIENT_CLOSED, 'clientClosed'],
  [TLS_RESPONSE, 'speaksTls'],
  ['EPROTO', 'notTls'],
  ['ENOTFOUND', 'unknownName'],
  ['EAI_AGAIN', 'unknownName'],
  ['ECONNRESET', 'closed'],
  ['EPIPE', 'closed'],
])
/** The texts of kafkajs's errors about a connection that the broker has closed; they have no code. */
const CLOSED_TEXTS: readonly string[] = ['Closed connection', 'Connection closed by the server']
/** Matches OpenSSL's errors for bytes that are not TLS. Of these errors, kafkajs keeps the text. */
const NOT_TLS = /wrong version number|packet length too long|unsupported protocol|ERR_SSL|EPROTO/i

/** The broker's port sent bytes that no broker sends: a length out of bounds, a response to no request. */
export class BadResponseError extends Error {
  override readonly name = 'BadResponseError'
  /** kafkajs keeps only the code of a socket's error. */
  readonly code: string = BAD_RESPONSE
}

/** The port sent a TLS record to a client that does not use TLS. */
export class TlsResponseError extends BadResponseError {
  override readonly code = TLS_RESPONSE

  constructor() {
    super('the port speaks TLS')
  }
}

/** The requests in flight of a client that this program closes fail with this error. */
export class ClientClosedError extends Error {
  override readonly name = 'ClientClosedError'
  readonly code = CLIENT_CLOSED

  constructor() {
    super('this client was closed')
  }
}

/** Authentication cannot succeed: the broker refused it, or the credentials are unusable. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  /** The source of the token, if that is what fails. */
  readonly source: TokenSource | null

  constructor(message: string, source: TokenSource | null = null) {
    super(message)
    this.source = source
  }
}

/** The failure behind an error code of a response; not for 0, which is success. */
export const failureOfCode = (code: number): KafkaFailure => FAILURE_BY_CODE.get(code) ?? 'temporary'

/** Properties that kafkajs's errors may have. */
interface Details {
  name?: unknown
  code?: unknown
  cause?: unknown
  errors?: readonly unknown[]
}

/** The cause of an error; of several, as kafkajs collects them when it creates topics, the first. */
const innerOf = ({ cause, errors }: Details): unknown => cause ?? errors?.[0]

function* causesOf(error: unknown): Generator<Error & Details> {
  for (let cause: unknown = error; cause instanceof Error; cause = innerOf(cause)) yield cause as never
}

/** The protocol's error code in anything thrown; null where there is none. */
export function codeOf(error: unknown): number | null {
  for (const { code } of causesOf(error)) {
    if (typeof code === 'number' && code > 0) return code
  }
  return null
}

/** The failure behind anything that a request to a broker throws. */
export function kafkaFailureOf(error: unknown): KafkaFailure {
  const code = codeOf(error)
  if (code !== null) return failureOfCode(code)
  for (const cause of causesOf(error)) {
    if (isRefusal(cause)) return 'refused'
    if (cause.name === 'KafkaJSBrokerNotFound') return 'staleMetadata'
    if (isBadResponse(cause)) return 'badResponse'
  }
  return 'unreachable'
}

/** The cause behind anything that a request to a broker throws. */
export function failureCauseOf(error: unknown): FailureCause {
  for (const thrown of causesOf(error)) {
    const cause = causeOfOne(thrown)
    if (cause !== 'other') return cause
  }
  return 'other'
}

function causeOfOne(error: Error & Details): FailureCause {
  const { code, message } = error
  if (error instanceof RefusedError && error.source !== null) return error.source
  const known = CAUSE_BY_CODE.get(code)
  if (known !== undefined) return known
  if (NOT_TLS.test(message)) return 'notTls'
  if (CLOSED_TEXTS.includes(message)) return 'closed'
  return isCertificate(error) ? 'certificate' : 'other'
}

/** OpenSSL's verification codes and handshake alerts. */
const isCertificate = ({ code, message }: Error & Details): boolean =>
  (typeof code === 'string' && /CERT|^ERR_TLS|^ERR_SSL|^ERR_OSSL|^UNABLE_TO/.test(code)) || /certificate/i.test(message)

/** An error without a protocol code that only an invalid response explains. */
const isBadResponse = (error: Error & Details): boolean =>
  error.code === BAD_RESPONSE ||
  error.code === TLS_RESPONSE ||
  // Thrown by Buffer and Array in kafkajs's decoders when a response is shorter or longer than it claims.
  error instanceof RangeError ||
  error instanceof TypeError ||
  error.name === 'KafkaJSServerDoesNotSupportApiKey'

/** Authentication, and TLS where it needs a person. */
const isRefusal = (error: Error & Details): boolean =>
  error.name === 'RefusedError' || error.name === 'KafkaJSSASLAuthenticationError' || isCertificate(error)

/** The text of a failure's innermost cause, which is the most specific, in one line. */
export function failureText(error: unknown): string {
  let text = String(error)
  for (const { message } of causesOf(error)) if (message !== '') text = message
  return plainText(
    text
      .replace(/^Connection error: /, '')
      .replace(/^Closed connection$/, 'the broker closed the connection')
      .replaceAll('\n', ' '),
  )
}
