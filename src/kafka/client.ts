/** kafkajs's configuration out of ours. Used by the shipper, `tail` and `doctor`, each on its own thread. */
import { readFileSync } from 'node:fs'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { type ISocketFactoryArgs, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs'
import type { Config } from '../config/schema.ts'
import { errorText, usageError } from '../errors.ts'
import { type Client, createClient } from './kafkajs-wire.ts'

export type KafkaSettings = Config['kafka']

const CONNECT_TIMEOUT_MS = 5_000
const AUTHENTICATION_TIMEOUT_MS = 10_000
/** A broker that has not answered by then counts as away. */
export const REQUEST_TIMEOUT_MS = 15_000
const KEEP_ALIVE_MS = 30_000

/**
 * A client that tries everything once: whoever uses it knows better when to try again.
 * Secrets are read from their files now, so a new client sees new ones.
 *
 * @param log takes kafkajs's own warnings and errors; each also reaches whoever called, as an error
 * @throws InterceptorError (exit 2) when a file cannot be read or the settings contradict each other
 */
export function clientFor(settings: KafkaSettings, log: (message: string) => void, retries = 0): Client {
  const ssl = tlsOptions(settings.tls)
  const sasl = saslOptions(settings.sasl)
  const config: KafkaConfig = {
    clientId: settings.clientId,
    brokers: settings.brokers,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    authenticationTimeout: AUTHENTICATION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    retry: { retries, initialRetryTime: 100, maxRetryTime: 2_000 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => log(entry.log.message),
  }
  if (ssl !== null) config.ssl = ssl
  if (sasl !== null) config.sasl = sasl
  if (settings.brokers.length === 0) throw usageError('kafka.brokers is empty', { hint: 'Name at least one broker.' })
  return createClient(config, openSocket)
}

/** As kafkajs opens its sockets, without Nagle's delay for the last part of a request. */
function openSocket({ host, port, ssl, onConnect }: ISocketFactoryArgs): Socket {
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

function saslOptions({ mechanism, username, passwordFile }: KafkaSettings['sasl']): SASLOptions | null {
  if (mechanism === '') return null
  if (username === '' || passwordFile === '') {
    throw usageError(`kafka.sasl.mechanism ${mechanism} needs kafka.sasl.username and kafka.sasl.passwordFile`)
  }
  const password = readSetting('kafka.sasl.passwordFile', passwordFile).replace(/\r?\n$/, '')
  return { mechanism, username, password }
}

function readSetting(key: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw usageError(`${key}: cannot read it: ${errorText(error)}`, { cause: error })
  }
}
