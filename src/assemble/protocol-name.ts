/**
 * Names common protocols other than HTTP and TLS by the first bytes of a connection, of whichever side sends first. Only
 * reports use the name; no decision depends on it.
 */

/** The most bytes that decide. */
const DECIDING_BYTES = 24

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex')

/** Matched against the first bytes in hexadecimal: `..` is any byte. */
const PATTERNS: readonly (readonly [name: string, starts: RegExp])[] = [
  ['SSH', new RegExp(`^${hex('SSH-')}`)],
  ['AMQP', new RegExp(`^${hex('AMQP')}`)],
  ['NATS', new RegExp(`^${hex('INFO {')}`)],
  ['SMTP or FTP', new RegExp(`^${hex('220')}(?:20|2d)`)],
  // An array of bulk strings, or a bare PING.
  ['Redis', new RegExp(`^(?:2a(?:3.){1,6}${hex('\r\n$')}|${hex('PING\r\n')})`)],
  // A remaining length, the protocol's name.
  ['MQTT', new RegExp(`^10(?:..){1,4}?00(?:04${hex('MQTT')}|06${hex('MQIsdp')})`)],
  // Length, then version 3.0 or a request for TLS or GSSAPI (PostgreSQL, "Message Formats").
  ['PostgreSQL', /^00.{6}(?:00030000|04d2162f|04d21630)/],
  // Length, sequence number 0, protocol version 10, the server's version: a digit and a full stop.
  ['MySQL', /^.{6}000a3.(?:2e|3.)/],
  // Length, two ids, OP_MSG, OP_QUERY or OP_COMPRESSED.
  ['MongoDB', /^.{6}00.{16}(?:dd|d4|dc)070000/],
  // Version, no flags, stream, STARTUP or OPTIONS.
  ['Cassandra', /^0[345]00.{4}0[15]0000/],
  // A message with id 1 that is a bind request.
  ['LDAP', /^30..02010160/],
  // Length, key and version of the request, correlation id, the length of the client's name.
  ['Kafka', /^00.{6}00[0-5].00[01].{9}00[0-7]./],
]

/** The names, encoded for counting. */
const NAMES = PATTERNS.map(([name, starts]) => ({ bytes: new TextEncoder().encode(name), starts }))

/** @returns the name of the protocol that begins with [at, end), as ASCII; null: unknown */
export function protocolName(bytes: Uint8Array, at: number, end: number): Uint8Array | null {
  const first = Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(end - at, DECIDING_BYTES)).toString('hex')
  return NAMES.find(({ starts }) => starts.test(first))?.bytes ?? null
}
