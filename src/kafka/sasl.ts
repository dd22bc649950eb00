/**
 * Authentication to the brokers. Passwords are read when a client is created; tokens and temporary credentials are
 * short-lived, so they are read each time that a connection authenticates.
 */
import type { AuthenticationProviderArgs, Mechanism, SASLOptions } from 'kafkajs'
import type { Config } from '../config/schema.ts'
import { usageError } from '../errors.ts'
import { type AwsCredentials, mskIamMessage, regionOf } from './aws-signature.ts'
import { RefusedError } from './errors.ts'
import { readSetting, readToken } from './secrets.ts'

type SaslSettings = Config['kafka']['sasl']

const SEPARATOR = '\x01'
const USER_AGENT = 'interceptor'

/** kafkajs's authentication options; null: no authentication. @throws InterceptorError (EXIT_USAGE) */
export function saslOptions(settings: SaslSettings): SASLOptions | Mechanism | null {
  const { mechanism, username, passwordFile } = settings
  switch (mechanism) {
    case '':
      return null
    case 'oauthbearer':
      return { mechanism: 'OAUTHBEARER', authenticationProvider: (args) => oauthBearer(settings, args) }
    case 'aws-msk-iam':
      return { mechanism: 'AWS_MSK_IAM', authenticationProvider: (args) => awsMskIam(settings, args) }
    default: {
      if (username === '' || passwordFile === '') {
        throw usageError(`kafka.sasl.mechanism ${mechanism} needs kafka.sasl.username and kafka.sasl.passwordFile`)
      }
      const password = readSetting('kafka.sasl.passwordFile', passwordFile).replace(/\r?\n$/, '')
      return { mechanism, username, password } as SASLOptions
    }
  }
}

/** RFC 7628 §3.1. A refused token is answered with a JSON object (§3.2.2), which kafkajs's own mechanism ignores. */
const oauthBearer = (settings: SaslSettings, { saslAuthenticate }: AuthenticationProviderArgs) => ({
  async authenticate(): Promise<void> {
    const token = await readToken(settings)
    const fields = [`auth=Bearer ${token}`, ...settings.extensions]
    const message = `n,,${SEPARATOR}${fields.join(SEPARATOR)}${SEPARATOR}${SEPARATOR}`
    const response = await exchange(saslAuthenticate, message)
    if (response !== '') throw new RefusedError(`the broker refuses the token: ${response}`)
  },
})

const awsMskIam = (settings: SaslSettings, { host, saslAuthenticate }: AuthenticationProviderArgs) => ({
  async authenticate(): Promise<void> {
    const region = settings.awsRegion || regionOf(host) || process.env['AWS_REGION']
    if (region === undefined) {
      throw new RefusedError(`the name ${host} has no AWS region: set kafka.sasl.awsRegion`)
    }
    const message = mskIamMessage(host, region, await awsCredentials(settings), USER_AGENT, new Date())
    await exchange(saslAuthenticate, message)
  },
})

/** Sends one message and returns the response; kafkajs expects both to be preceded by a length of four bytes. */
async function exchange(
  saslAuthenticate: AuthenticationProviderArgs['saslAuthenticate'],
  message: string,
): Promise<string> {
  const bytes = Buffer.from(message)
  const encoded = Buffer.allocUnsafe(4 + bytes.length)
  encoded.writeInt32BE(bytes.length)
  bytes.copy(encoded, 4)
  const response = await saslAuthenticate<string>({
    request: { encode: () => encoded },
    response: { decode: (raw) => raw, parse: (raw) => raw.toString('utf8', 4) },
  })
  return response ?? ''
}

/**
 * Reads AWS credentials from `tokenFile` or `tokenCommand`, in the format of AWS's `credential_process` (Configuration
 * and credential file settings of the AWS CLI), else from the environment.
 *
 * @throws RefusedError
 */
async function awsCredentials(settings: SaslSettings): Promise<AwsCredentials> {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: session } = process.env
  if (settings.tokenFile === '' && settings.tokenCommand.length === 0) {
    if (!id || !secret) {
      const sources = 'kafka.sasl.tokenFile, kafka.sasl.tokenCommand or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY'
      throw new RefusedError(`there are no AWS credentials: set ${sources}`)
    }
    return { accessKeyId: id, secretAccessKey: secret, sessionToken: session || null }
  }
  return parseCredentials(await readToken(settings))
}

/** @throws RefusedError, whose message quotes nothing of the text */
export function parseCredentials(text: string): AwsCredentials {
  let fields: Record<string, unknown> = {}
  try {
    fields = JSON.parse(text) as Record<string, unknown>
  } catch {
    // Text that is not JSON is reported below, without the parser's message, which quotes it.
  }
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, SessionToken: session } = fields ?? {}
  if (typeof accessKeyId !== 'string' || typeof secretAccessKey !== 'string') {
    throw new RefusedError('the AWS credentials are not a JSON object with AccessKeyId and SecretAccessKey')
  }
  return { accessKeyId, secretAccessKey, sessionToken: typeof session === 'string' ? session : null }
}
