/** Explains a failed request to Kafka to a person: the failure's text, and a hint what to change. Pure. */
import type { KafkaSettings } from './client.ts'
import { codeOf, failureText, type KafkaFailure, kafkaFailureOf } from './errors.ts'
import type { Reached } from './kafkajs-client.ts'

export interface Diagnosis {
  failure: KafkaFailure
  /** One line. */
  text: string
  /** How to fix it, as one sentence in lower case without a full stop; null where the text suffices. */
  hint: string | null
}

/** Matches the errors of a closed connection, from kafkajs and from Node.js. */
const ENDED = /closed|disconnected|ECONNRESET|EPIPE|hang up/i
/** Refusals that concern neither credentials nor permissions. */
const HINT_BY_CODE: ReadonlyMap<number, string> = new Map([
  [17, 'correct kafka.topic'], // INVALID_TOPIC_EXCEPTION
  [44, 'see the policies of the cluster'], // POLICY_VIOLATION
  [76, 'choose another kafka.compression'], // UNSUPPORTED_COMPRESSION_TYPE
])
/** Matches OpenSSL's errors for bytes that are not TLS. */
const NOT_TLS = /wrong version number|packet length too long|unsupported protocol|ERR_SSL|EPROTO/i

/**
 * @param error the thrown error
 * @param reached how far the client got, `topic`: it has received the topic's metadata. A port that expects another protocol
 *   usually just closes the connection, so nothing else distinguishes the causes
 */
export function diagnose(error: unknown, settings: KafkaSettings, reached: Reached | 'topic'): Diagnosis {
  const failure = kafkaFailureOf(error)
  const text = failureText(error)
  const hint = HINT_BY_CODE.get(codeOf(error) ?? 0) ?? hintOf(failure, text, settings, reached)
  return { failure, text, hint }
}

function hintOf(
  failure: KafkaFailure,
  text: string,
  settings: KafkaSettings,
  reached: Reached | 'topic',
): string | null {
  const { tls, sasl } = settings
  if (/speaks TLS/.test(text)) return 'set kafka.tls.enabled, and kafka.sasl.mechanism if it requires SASL too'
  if (NOT_TLS.test(text)) return 'the port does not speak TLS: set kafka.tls.enabled to false, or use its TLS port'
  if (failure === 'refused') return refusalHint(text, settings)
  if (failure !== 'unreachable') return null
  if (!ENDED.test(text)) return 'check the brokers’ addresses, also those that they advertise'
  if (reached === 'topic') return null
  if (tls.enabled && reached === 'nothing') {
    return 'the port may not speak TLS (kafka.tls.enabled), or may require a client certificate (kafka.tls.certFile)'
  }
  if (sasl.mechanism !== '') return tls.enabled ? null : 'the port may require TLS (kafka.tls.enabled)'
  if (tls.enabled) return 'the port may require authentication (kafka.sasl.mechanism)'
  return reached === 'response'
    ? 'the port may require SASL (kafka.sasl.mechanism) or TLS (kafka.tls.enabled)'
    : 'the port may require TLS (kafka.tls.enabled) or SASL (kafka.sasl.mechanism)'
}

/** Whether a permission is missing. @param text of a Diagnosis */
export const isDenied = (text: string): boolean => /authoriz/i.test(text)

/** @param operations as Kafka's ACLs name them */
export function permissionHint({ sasl, topic }: KafkaSettings, operations: string): string {
  const user = sasl.username === '' ? 'this client' : `the user ${sasl.username}`
  return `allow ${user} to ${operations} the topic ${topic}`
}

function refusalHint(text: string, settings: KafkaSettings): string {
  if (text.startsWith('kafka.sasl.tokenCommand')) return 'run the command by hand to see what it prints'
  if (text.startsWith('kafka.sasl.tokenFile'))
    return 'the file must exist, be readable by this user, and hold the token'
  if (/cert|tls|ssl|self.signed/i.test(text)) {
    return 'set kafka.tls.caFile to the authority of the brokers’ certificates'
  }
  if (isDenied(text)) return permissionHint(settings, 'Describe and Write')
  if (/SASL state/i.test(text)) return 'the port may not support authentication (kafka.sasl.mechanism)'
  return 'check kafka.sasl: the mechanism, the user, and the password or token in its file'
}
