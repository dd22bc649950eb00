/** Explains a failed request to Kafka to a person: the failure's text, and a hint what to change. Pure. */
import type { KafkaSettings } from './client.ts'
import { type FailureCause, failureCauseOf, failureText, type KafkaFailure, kafkaFailureOf } from './errors.ts'
import type { Reached } from './kafkajs-client.ts'

export interface Diagnosis {
  failure: KafkaFailure
  cause: FailureCause
  /** One line. */
  text: string
  /** How to fix it, as one sentence in lower case without a full stop; null where the text suffices. */
  hint: string | null
}

/**
 * @param error the thrown error
 * @param reached how far the client got, `topic`: it has received the topic's metadata. A port that expects another protocol
 *   usually just closes the connection, so nothing else distinguishes the causes
 */
export function diagnose(error: unknown, settings: KafkaSettings, reached: Reached | 'topic'): Diagnosis {
  const failure = kafkaFailureOf(error)
  const cause = failureCauseOf(error)
  return { failure, cause, text: failureText(error), hint: hintOf({ failure, cause }, settings, reached) }
}

function hintOf(
  { failure, cause }: Pick<Diagnosis, 'failure' | 'cause'>,
  settings: KafkaSettings,
  reached: Reached | 'topic',
): string | null {
  const { tls, sasl } = settings
  if (cause === 'speaksTls') return 'set kafka.tls.enabled, and kafka.sasl.mechanism if it requires SASL too'
  if (cause === 'notTls') return 'the port does not speak TLS: set kafka.tls.enabled to false, or use its TLS port'
  if (failure === 'refused') return refusalHint(cause, settings)
  if (failure !== 'unreachable') return null
  if (cause !== 'closed') return 'check the brokers’ addresses, also those that they advertise'
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

/** @param operations as Kafka's ACLs name them */
export function permissionHint({ sasl, topic }: KafkaSettings, operations: string): string {
  const user = sasl.username === '' ? 'this client' : `the user ${sasl.username}`
  return `allow ${user} to ${operations} the topic ${topic}`
}

function refusalHint(cause: FailureCause, settings: KafkaSettings): string {
  switch (cause) {
    case 'tokenCommand':
      return 'run the command by hand to see what it prints'
    case 'tokenFile':
      return 'the file must exist, be readable by this user, and hold the token'
    case 'certificate':
      return 'set kafka.tls.caFile to the authority of the brokers’ certificates'
    case 'permission':
      return permissionHint(settings, 'Describe and Write')
    case 'noSasl':
      return 'the port may not support authentication (kafka.sasl.mechanism)'
    case 'topicName':
      return 'correct kafka.topic'
    case 'policy':
      return 'see the policies of the cluster'
    case 'compression':
      return 'choose another kafka.compression'
    default:
      return 'check kafka.sasl: the mechanism, the user, and the password or token in its file'
  }
}
