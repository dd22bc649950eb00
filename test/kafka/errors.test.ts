import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { codeOf, troubleOf, troubleOfCode, troubleText } from '../../src/kafka/errors.ts'

const require = createRequire(import.meta.url)
const kafkajs = require('kafkajs/src/errors.js') as Record<string, new (...args: unknown[]) => Error>
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as { createErrorFromCode(code: number): Error }

test('errors: a broker that is down is away, though kafkajs calls it NonRetriable', () => {
  const refused = new kafkajs['KafkaJSConnectionError']('Connection error: connect ECONNREFUSED 10.0.0.1:9092', {
    code: 'ECONNREFUSED',
  })
  const wrapped = new kafkajs['KafkaJSNonRetriableError'](refused, { cause: refused })
  assert.equal(troubleOf(wrapped), 'away')
  assert.equal(troubleText(wrapped), 'connect ECONNREFUSED 10.0.0.1:9092')
})

test('errors: the protocol code decides, however deep kafkajs wraps it', () => {
  for (const [code, trouble] of [
    [3, 'missingTopic'],
    [5, 'moved'],
    [29, 'denied'],
    [58, 'denied'],
  ] as const) {
    const cause = createErrorFromCode(code)
    const wrapped = new kafkajs['KafkaJSNumberOfRetriesExceeded'](cause, { retryCount: 0, retryTime: 1 })
    assert.equal(codeOf(wrapped), code)
    assert.equal(troubleOf(wrapped), trouble)
  }
})

test('errors: failed authentication and bad certificates need a person', () => {
  assert.equal(troubleOf(new kafkajs['KafkaJSSASLAuthenticationError']('wrong password')), 'denied')
  for (const code of ['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID']) {
    assert.equal(troubleOf(new kafkajs['KafkaJSConnectionError']('Connection error', { code })), 'denied')
  }
})

test('errors: codes of records refused for good, of moved leaders, and of none of our business', () => {
  assert.deepEqual([2, 32, 87].map(troubleOfCode), ['refused', 'refused', 'refused'])
  assert.deepEqual([10, 18].map(troubleOfCode), ['tooLarge', 'tooLarge'])
  assert.deepEqual([6, 74, 75].map(troubleOfCode), ['moved', 'moved', 'moved'])
  assert.deepEqual([7, 19, 20, 9999, -1].map(troubleOfCode), ['retry', 'retry', 'retry', 'retry', 'retry'])
})

test('errors: anything thrown has a trouble and one line of text', () => {
  for (const thrown of [undefined, null, 'text', 7, new Error('two\nlines'), { code: 3 }]) {
    assert.equal(troubleOf(thrown), 'away')
    assert.ok(!troubleText(thrown).includes('\n'))
  }
})
