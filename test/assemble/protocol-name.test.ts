import assert from 'node:assert/strict'
import { test } from 'node:test'
import { protocolName } from '../../src/assemble/protocol-name.ts'

const nameOf = (bytes: Uint8Array): string | null => {
  const name = protocolName(bytes, 0, bytes.length)
  return name === null ? null : Buffer.from(name).toString()
}

/** The first bytes of clients and servers, as their protocols' documents specify them. */
const FIRST: readonly (readonly [name: string | null, bytes: string])[] = [
  ['SSH', Buffer.from('SSH-2.0-OpenSSH_9.6\r\n').toString('hex')],
  ['SMTP or FTP', Buffer.from('220 mail.example.com ESMTP\r\n').toString('hex')],
  ['NATS', Buffer.from('INFO {"server_id":"x"}').toString('hex')],
  ['AMQP', Buffer.from('AMQP\0\0\x09\x01').toString('hex')],
  ['Redis', Buffer.from('*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n').toString('hex')],
  ['Redis', Buffer.from('*12\r\n$4\r\nMSET').toString('hex')],
  ['PostgreSQL', '0000000804d2162f'],
  ['PostgreSQL', '0000002900030000757365720061'],
  ['MySQL', `4a0000000a${Buffer.from('8.0.36\0').toString('hex')}`],
  ['MySQL', `5b0000000a${Buffer.from('11.4.2-MariaDB').toString('hex')}`],
  ['MongoDB', '1f0100000100000000000000dd07000000000000'],
  ['MQTT', `1010 0004 ${Buffer.from('MQTT').toString('hex')} 04`.replaceAll(' ', '')],
  ['Kafka', '0000001e0012000300000001000a7264'],
  ['Kafka', '00000023000300040000000200076b61666b616a73'],
  ['LDAP', '300c020101600702010304008000'],
  ['Cassandra', '040000000500000000'],
  [null, '00'],
  [null, 'deadbeefdeadbeefdeadbeef'],
  [null, Buffer.from('hello world, how are you').toString('hex')],
]

test('protocol name: recognises protocols by their first bytes', () => {
  for (const [name, hex] of FIRST) assert.equal(nameOf(Buffer.from(hex, 'hex')), name, hex)
})

test('protocol name: reads only the bytes between its bounds', () => {
  const bytes = Buffer.from('xxSSH-2.0')
  assert.equal(protocolName(bytes, 2, 5), null)
  assert.notEqual(protocolName(bytes, 2, 6), null)
})
