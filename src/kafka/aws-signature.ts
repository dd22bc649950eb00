/**
 * The message that a client sends in the SASL mechanism AWS_MSK_IAM: a signed request to connect, as JSON.
 *
 * Sources: the wire format in the README of aws/aws-msk-iam-auth (Authentication Payload); AWS Signature Version 4 with
 * query parameters, "Create a signed AWS API request" in the IAM User Guide. Pure.
 */
import { createHash, createHmac } from 'node:crypto'

export interface AwsCredentials {
  accessKeyId: string
  secretAccessKey: string
  /** Set for temporary credentials; null for long-lived ones. */
  sessionToken: string | null
}

export interface SigningRequest {
  host: string
  path: string
  /** Parameters to sign, without those of the signature itself. */
  query: Readonly<Record<string, string>>
  region: string
  service: string
  credentials: AwsCredentials
  /** Time of signing. */
  time: Date
  expiresSeconds: number
  /** Hexadecimal SHA-256 of the body, or a placeholder that the service defines. */
  payloadHash: string
}

const ALGORITHM = 'AWS4-HMAC-SHA256'
const SIGNED_HEADERS = 'host'
const PAYLOAD_VERSION = '2020_10_22'
const ACTION = 'kafka-cluster:Connect'
const SERVICE = 'kafka-cluster'
const EXPIRES_SECONDS = 900
const EMPTY_HASH = createHash('sha256').digest('hex')

/** @returns the query parameters of a presigned GET request, the signature among them */
export function presign(request: SigningRequest): Record<string, string> {
  const { host, path, region, service, credentials, expiresSeconds, payloadHash } = request
  const time = request.time.toISOString().replace(/[-:]|\.\d+/g, '')
  const day = time.slice(0, 8)
  const scope = `${day}/${region}/${service}/aws4_request`
  const query: Record<string, string> = {
    ...request.query,
    'X-Amz-Algorithm': ALGORITHM,
    'X-Amz-Credential': `${credentials.accessKeyId}/${scope}`,
    'X-Amz-Date': time,
    'X-Amz-Expires': String(expiresSeconds),
    ...(credentials.sessionToken === null ? {} : { 'X-Amz-Security-Token': credentials.sessionToken }),
    'X-Amz-SignedHeaders': SIGNED_HEADERS,
  }
  const canonical = ['GET', path, canonicalQuery(query), `host:${host}`, '', SIGNED_HEADERS, payloadHash].join('\n')
  const toSign = [ALGORITHM, time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const dayKey = hmac(`AWS4${credentials.secretAccessKey}`, day)
  const key = hmac(hmac(hmac(dayKey, region), service), 'aws4_request')
  return { ...query, 'X-Amz-Signature': hmac(key, toSign).toString('hex') }
}

/** The message that authenticates at one broker. @param userAgent this client's name in AWS's logs */
export function mskIamMessage(
  host: string,
  region: string,
  credentials: AwsCredentials,
  userAgent: string,
  time: Date,
): string {
  const signed = presign({
    host,
    path: '/',
    query: { Action: ACTION },
    region,
    service: SERVICE,
    credentials,
    time,
    expiresSeconds: EXPIRES_SECONDS,
    payloadHash: EMPTY_HASH,
  })
  const { Action: action, ...parameters } = signed
  const lowered = Object.entries(parameters).map(([name, value]) => [name.toLowerCase(), value])
  return JSON.stringify({
    version: PAYLOAD_VERSION,
    host,
    'user-agent': userAgent,
    action,
    ...Object.fromEntries(lowered),
  })
}

/** The region in a broker's name, such as `b-1.orders.abc.c2.kafka.eu-west-1.amazonaws.com`; null where it has none. */
export const regionOf = (host: string): string | null =>
  /\.kafka(?:-serverless)?(?:-fips)?\.([a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)/.exec(host)?.[1] ?? null

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const canonicalQuery = (query: Readonly<Record<string, string>>): string =>
  Object.entries(query)
    .map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`)
    .sort()
    .join('&')

/** Percent-encodes all but RFC 3986's unreserved characters. */
const uriEncode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
