import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import { diagnose } from '../../src/kafka/diagnosis.ts'
import type { Reached } from '../../src/kafka/kafkajs-wire.ts'

const { kafka } = defaultConfig()
const overTls = { ...kafka, tls: { ...kafka.tls, enabled: true } }
const withSasl = { ...kafka, sasl: { ...kafka.sasl, mechanism: 'plain' as const, username: 'me', passwordFile: '/p' } }

const hintFor = (text: string, settings: typeof kafka, reached: Reached): string =>
  diagnose(new Error(text), settings, reached).hint ?? ''

test('diagnosis: a plain client whose connection is closed hears of TLS and of SASL', () => {
  for (const reached of ['connection', 'answer'] as const) {
    const hint = hintFor('Closed connection', kafka, reached)
    assert.match(hint, /kafka\.tls\.enabled/)
    assert.match(hint, /kafka\.sasl\.mechanism/)
  }
  assert.match(hintFor('Closed connection', kafka, 'answer'), /^the port may want SASL/)
  assert.match(hintFor('Closed connection', kafka, 'connection'), /^the port may want TLS/)
})

test('diagnosis: a port that answers with a TLS record wants TLS', () => {
  assert.match(hintFor('the port speaks TLS', kafka, 'connection'), /^set kafka\.tls\.enabled/)
})

test('diagnosis: a TLS client at a plain port hears that it may not speak TLS', () => {
  const texts = [
    'Client network socket disconnected before secure TLS connection was established',
    'read ECONNRESET',
    'C0BC:error:0A00010B:SSL routines:ssl3_get_record:wrong version number',
  ]
  for (const text of texts) assert.match(hintFor(text, overTls, 'nothing'), /not speak TLS/)
})

test('diagnosis: a client that speaks what it can hears of what is left', () => {
  assert.match(hintFor('Closed connection', overTls, 'answer'), /kafka\.sasl\.mechanism/)
  assert.match(hintFor('Closed connection', withSasl, 'connection'), /kafka\.tls\.enabled/)
})

test('diagnosis: a broker that is not there is looked for by its address', () => {
  assert.match(hintFor('connect ECONNREFUSED 127.0.0.1:1', kafka, 'nothing'), /addresses/)
})

test('diagnosis: a refused user hears what is to be allowed or checked', () => {
  const refused = (message: string, name = 'KafkaJSSASLAuthenticationError') =>
    diagnose(Object.assign(new Error(message), { name }), withSasl, 'answer').hint
  assert.match(refused('SASL PLAIN authentication failed') ?? '', /check kafka\.sasl/)
  assert.match(refused('self-signed certificate in certificate chain') ?? '', /kafka\.tls\.caFile/)
  const denied = Object.assign(new Error('Not authorized to access topics: [Topic authorization failed]'), { code: 29 })
  assert.equal(diagnose(denied, withSasl, 'answer').hint, `allow me to Describe and Write ${kafka.topic}`)
})
