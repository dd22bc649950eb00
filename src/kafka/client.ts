/** Creates Kafka clients from the configuration, for the shipper, `tail` and `doctor`, each on its own thread. */
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { type ISocketFactoryArgs, type KafkaConfig, logLevel } from 'kafkajs'
import type { Config } from '../config/schema.ts'
import { usageError } from '../errors.ts'
import { kafkajsBroker, resolveAlias } from './broker-address.ts'
import { type Client, createClient } from './kafkajs-client.ts'
import { saslOptions } from './sasl.ts'
import { readSetting } from './secrets.ts'

export type KafkaSettings = Config['kafka']

const CONNECT_TIMEOUT_MS = 5_000
const AUTHENTICATION_TIMEOUT_MS = 10_000
/** A broker that has not responded within this counts as unreachable. */
export const REQUEST_TIMEOUT_MS = 15_000
const KEEP_ALIVE_MS = 30_000
const MIB = 1024 * 1024
/** Largest response to a producer's requests: metadata of 10,000 partitions is 1 MiB. */
const PRODUCER_RESPONSE_BYTES = 4 * MIB
/** Largest response to a fetch: 8 MiB of records, or one batch that is larger. */
const CONSUMER_RESPONSE_BYTES = 256 * MIB

export interface ClientOptions {
  /** Receives the warnings and errors that kafkajs logs. Each error also reaches the caller. */
  log(message: string): void
  /** Whether records are fetched, which permits long responses. Default: false. */
  reads?: boolean
  /** Called when a connection ends because of bytes that are no valid response, whether or not a request was in flight. */
  onBadResponse?(error: Error): void
  /** How often kafkajs retries. Default: never, because the callers have retry policies of their own. */
  retries?: number
}

/**
 * Reads the secrets from their files, so that a new client uses their current content.
 *
 * @throws InterceptorError (EXIT_USAGE) when a file cannot be read or the settings contradict each other
 */
export function clientFor(settings: KafkaSettings, options: ClientOptions): Client {
  const { log, reads = false, retries = 0, onBadResponse = () => {} } = options
  if (settings.brokers.length === 0) throw usageError('kafka.brokers is empty', { hint: 'Name at least one broker.' })
  const ssl = tlsOptions(settings.tls)
  const sasl = saslOptions(settings.sasl)
  const config: KafkaConfig = {
    clientId: settings.clientId,
    brokers: settings.brokers.map(kafkajsBroker),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    authenticationTimeout: AUTHENTICATION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries, initialRetryTime: 100, maxRetryTime: 2_000 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => log(entry.log.message),
    ...(ssl === null ? {} : { ssl }),
    ...(sasl === null ? {} : { sasl }),
  }
  const maxResponseBytes = reads ? CONSUMER_RESPONSE_BYTES : PRODUCER_RESPONSE_BYTES
  return createClient(config, { openSocket, maxResponseBytes, onBadResponse })
}

/** Opens a socket as kafkajs does, and disables Nagle's algorithm, which delays the last part of a request. */
function openSocket({ host: alias, port, ssl, onConnect }: ISocketFactoryArgs): Socket {
  const host = resolveAlias(alias)
  const socket = ssl
    ? connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect)
    : connectTcp({ host, port }, onConnect)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  socket.setNoDelay(true)
  return socket
}

function tlsOptions(tls: KafkaSettings['tls']): ConnectionOptions | null {
  if (!tls.enabled) return null
  const options: ConnectionOptions = {}
  if (tls.caFile !== '') options.ca = readSetting('kafka.tls.caFile', tls.caFile)
  if (tls.certFile !== '') options.cert = readSetting('kafka.tls.certFile', tls.certFile)
  if (tls.keyFile !== '') options.key = readSetting('kafka.tls.keyFile', tls.keyFile)
  if (tls.serverName !== '') options.servername = tls.serverName
  return options
}

/**
 * Creates the configured topic with the brokers' default partitions and replicas.
 *
 * @param configs the topic's own configuration, by name
 * @returns true when it was created; false when it already existed
 * @throws kafkajs's errors
 */
export async function createTopic(
  settings: KafkaSettings,
  configs: Readonly<Record<string, string>>,
): Promise<boolean> {
  const client = clientFor(settings, { log: () => {} })
  const admin = client.kafka.admin()
  const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
  try {
    await admin.connect()
    return await admin.createTopics({ topics: [{ topic: settings.topic, configEntries }] })
  } finally {
    client.close()
  }
}
