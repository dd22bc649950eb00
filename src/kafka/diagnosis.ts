/** What a person is told of a failure to talk to Kafka: its text, and what to change. Pure. */
import type { KafkaSettings } from './client.ts'
import { failureOf, failureText, type KafkaFailure } from './errors.ts'
import type { Reached } from './kafkajs-wire.ts'

export interface Diagnosis {
  failure: KafkaFailure
  /** One line. */
  text: string
  /** What to do about it, as one sentence without a full stop; null where the text says all there is. */
  hint: string | null
}

/** How an ended connection reads, in kafkajs's words and in Node.js's. */
const ENDED = /closed|disconnected|ECONNRESET|EPIPE|hang up/i
/** How OpenSSL reads what is no TLS. */
const NOT_TLS = /wrong version number|packet length too long|unsupported protocol|ERR_SSL|EPROTO/i

/**
 * @param error what was thrown
 * @param reached how far the client had come: a port that wants something else mostly just closes the connection
 */
export function diagnose(error: unknown, settings: KafkaSettings, reached: Reached): Diagnosis {
  const failure = failureOf(error)
  const text = failureText(error)
  return { failure, text, hint: hintOf(failure, text, settings, reached) }
}

function hintOf(failure: KafkaFailure, text: string, settings: KafkaSettings, reached: Reached): string | null {
  const { tls, sasl, topic } = settings
  if (/speaks TLS/.test(text)) return 'set kafka.tls.enabled, and kafka.sasl.mechanism where it wants SASL too'
  if (NOT_TLS.test(text)) return 'the port does not speak TLS: set kafka.tls.enabled to false, or use its TLS port'
  if (failure === 'refused') return refusalHint(text, sasl.username, topic)
  if (failure !== 'unreachable') return null
  if (!ENDED.test(text)) return 'check the brokers’ addresses, also those that they advertise'
  if (tls.enabled && reached === 'nothing') {
    return 'the port may not speak TLS (kafka.tls.enabled), or wants a client certificate (kafka.tls.certFile)'
  }
  if (sasl.mechanism !== '') return tls.enabled ? null : 'the port may want TLS (kafka.tls.enabled)'
  if (tls.enabled) return 'the port may want authentication (kafka.sasl.mechanism)'
  return reached === 'answer'
    ? 'the port may want SASL (kafka.sasl.mechanism), or TLS (kafka.tls.enabled)'
    : 'the port may want TLS (kafka.tls.enabled), or SASL (kafka.sasl.mechanism)'
}

function refusalHint(text: string, username: string, topic: string): string {
  if (/cert|tls|ssl|self.signed/i.test(text)) {
    return 'set kafka.tls.caFile to the authority of the brokers’ certificates'
  }
  if (/authoriz/i.test(text)) return `allow ${username || 'this client'} to Describe and Write ${topic}`
  if (/SASL state/i.test(text)) return 'the port may want no authentication (kafka.sasl.mechanism)'
  return 'check kafka.sasl: the mechanism, the user, and the password or token in its file'
}
