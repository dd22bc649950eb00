import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import { diagnose } from '../../src/kafka/diagnosis.ts'
import { failureText } from '../../src/kafka/errors.ts'
import type { Reached } from '../../src/kafka/kafkajs-client.ts'

const { kafka } = defaultConfig()
const overTls = { ...kafka, tls: { ...kafka.tls, enabled: true } }
const withSasl = { ...kafka, sasl: { ...kafka.sasl, mechanism: 'plain' as const, username: 'me', passwordFile: '/p' } }

const hintFor = (text: string, settings: typeof kafka, reached: Reached): string =>
  diagnose(new Error(text), settings, reached).hint ?? ''

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
  assert.equal(diagnose(new Error('read ECONNRESET'), kafka, 'topic').hint, null)
})

test('diagnosis: suggests TLS for a port that answers with a TLS record', () => {
  assert.match(hintFor('the port speaks TLS', kafka, 'connection'), /^set kafka\.tls\.enabled/)
})

test('diagnosis: suggests to disable TLS for a port that may not speak it', () => {
  const texts = [
    'Client network socket disconnected before secure TLS connection was established',
    'read ECONNRESET',
    'C0BC:error:0A00010B:SSL routines:ssl3_get_record:wrong version number',
  ]
  for (const text of texts) assert.match(hintFor(text, overTls, 'nothing'), /not speak TLS/)
})

test('diagnosis: suggests only what is not configured yet', () => {
  assert.match(hintFor('Closed connection', overTls, 'response'), /kafka\.sasl\.mechanism/)
  assert.match(hintFor('Closed connection', withSasl, 'connection'), /kafka\.tls\.enabled/)
})

test('diagnosis: suggests to check the addresses of an unreachable broker', () => {
  assert.match(hintFor('connect ECONNREFUSED 127.0.0.1:1', kafka, 'nothing'), /addresses/)
})

test('diagnosis: suggests which permission or credential to check after a refusal', () => {
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
