import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import { diagnose } from '../../src/kafka/diagnosis.ts'
import { failureText, RefusedError, TlsResponseError } from '../../src/kafka/errors.ts'
import type { Reached } from '../../src/kafka/kafkajs-client.ts'
import { errorOfCode } from '../../src/kafka/kafkajs-internals.ts'

const { kafka } = defaultConfig()
const overTls = { ...kafka, tls: { ...kafka.tls, enabled: true } }
const withSasl = { ...kafka, sasl: { ...kafka.sasl, mechanism: 'plain' as const, username: 'me', passwordFile: '/p' } }

/** An error as kafkajs reports it, with the text and code of the socket's error. */
const connectionError = (text: string): Error =>
  Object.assign(new Error(`Connection error: ${text}`), { code: /\bE[A-Z]{3,}\b/.exec(text)?.[0] })

const hintFor = (error: Error | string, settings: typeof kafka, reached: Reached): string =>
  diagnose(typeof error === 'string' ? new Error(error) : error, settings, reached).hint ?? ''

test('diagnosis: suggests TLS and SASL to a plaintext client whose connection is closed', () => {
  for (const reached of ['connection', 'response'] as const) {
    const hint = hintFor('Closed connection', kafka, reached)
    assert.match(hint, /kafka\.tls\.enabled/)
    assert.match(hint, /kafka\.sasl\.mechanism/)
  }
  assert.match(hintFor('Closed connection', kafka, 'response'), /^the port may require SASL/)
  assert.match(failureText(new Error('Closed connection')), /^the broker closed the connection$/)
  assert.match(hintFor('Closed connection', kafka, 'connection'), /^the port may require TLS/)
})

test('diagnosis: suggests no other protocol to a client that has worked', () => {
  assert.equal(diagnose(connectionError('read ECONNRESET'), kafka, 'topic').hint, null)
})

test('diagnosis: suggests TLS for a port that answers with a TLS record', () => {
  assert.match(hintFor(new TlsResponseError(), kafka, 'connection'), /^set kafka\.tls\.enabled/)
})

test('diagnosis: suggests disabling TLS for a port that may not use it', () => {
  const errors = [
    // Node.js gives this error the code of a connection that was reset.
    Object.assign(new Error('Client network socket disconnected before secure TLS connection was established'), {
      code: 'ECONNRESET',
    }),
    connectionError('read ECONNRESET'),
    new Error('C0BC:error:0A00010B:SSL routines:ssl3_get_record:wrong version number'),
  ]
  for (const error of errors) assert.match(hintFor(error, overTls, 'nothing'), /not speak TLS/)
})

test('diagnosis: suggests only what is not configured yet', () => {
  assert.match(hintFor('Closed connection', overTls, 'response'), /kafka\.sasl\.mechanism/)
  assert.match(hintFor('Closed connection', withSasl, 'connection'), /kafka\.tls\.enabled/)
})

test('diagnosis: suggests checking the addresses of an unreachable broker', () => {
  assert.match(hintFor('connect ECONNREFUSED 127.0.0.1:1', kafka, 'nothing'), /addresses/)
})

test('diagnosis: suggests the permission or credential to check after a rejection', () => {
  const refused = (message: string, name = 'KafkaJSSASLAuthenticationError') =>
    diagnose(Object.assign(new Error(message), { name }), withSasl, 'response').hint
  assert.match(refused('SASL PLAIN authentication failed') ?? '', /check kafka\.sasl/)
  assert.match(refused('self-signed certificate in certificate chain') ?? '', /kafka\.tls\.caFile/)
  const denied = Object.assign(new Error('Not authorized to access topics: [Topic authorization failed]'), { code: 29 })
  assert.equal(
    diagnose(denied, withSasl, 'response').hint,
    `allow the user me to Describe and Write the topic ${kafka.topic}`,
  )
})

test('diagnosis: names the setting that a broker rejects', () => {
  for (const [code, cause, hint] of [
    [17, 'topicName', 'correct kafka.topic'],
    [44, 'policy', 'see the policies of the cluster'],
    [76, 'compression', 'choose another kafka.compression'],
  ] as const) {
    const { failure, ...found } = diagnose(errorOfCode(code), kafka, 'response')
    assert.deepEqual([failure, found.cause, found.hint], ['refused', cause, hint])
  }
})

test('diagnosis: names the setting whose token cannot be obtained', () => {
  for (const [source, hint] of [
    ['tokenCommand', /run the command by hand/],
    ['tokenFile', /the file must exist/],
  ] as const) {
    const { cause, hint: given } = diagnose(new RefusedError('it fails', source), withSasl, 'nothing')
    assert.equal(cause, source)
    assert.match(given ?? '', hint)
  }
})
