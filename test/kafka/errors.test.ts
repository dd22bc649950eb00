import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import {
  BadResponseError,
  codeOf,
  failureOfCode,
  failureText,
  kafkaFailureOf,
  RefusedError,
} from '../../src/kafka/errors.ts'

const require = createRequire(import.meta.url)
const kafkajs = require('kafkajs/src/errors.js') as Record<string, new (...args: unknown[]) => Error>
const { createErrorFromCode } = require('kafkajs/src/protocol/error.js') as { createErrorFromCode(code: number): Error }

test('errors: a broker that is down is `unreachable`, although kafkajs calls it NonRetriable', () => {
  const refused = new kafkajs['KafkaJSConnectionError']('Connection error: connect ECONNREFUSED 10.0.0.1:9092', {
    code: 'ECONNREFUSED',
  })
  const wrapped = new kafkajs['KafkaJSNonRetriableError'](refused, { cause: refused })
  assert.equal(kafkaFailureOf(wrapped), 'unreachable')
  assert.equal(failureText(wrapped), '10.0.0.1:9092 refuses connections (ECONNREFUSED)')
})

test('errors: the protocol code decides, however deep kafkajs wraps it', () => {
  for (const [code, failure] of [
    [3, 'missingTopic'],
    [5, 'staleMetadata'],
    [29, 'refused'],
    [58, 'refused'],
  ] as const) {
    const cause = createErrorFromCode(code)
    const wrapped = new kafkajs['KafkaJSNumberOfRetriesExceeded'](cause, { retryCount: 0, retryTime: 1 })
    assert.equal(codeOf(wrapped), code)
    assert.equal(kafkaFailureOf(wrapped), failure)
  }
})

test('errors: failed authentication and bad certificates are `refused`', () => {
  assert.equal(kafkaFailureOf(new kafkajs['KafkaJSSASLAuthenticationError']('wrong password')), 'refused')
  for (const code of ['SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'ERR_TLS_CERT_ALTNAME_INVALID']) {
    assert.equal(kafkaFailureOf(new kafkajs['KafkaJSConnectionError']('Connection error', { code })), 'refused')
  }
})

test('errors: classifies codes of invalid records, moved leaders and temporary failures', () => {
  assert.deepEqual([2, 32, 87].map(failureOfCode), ['invalidRecord', 'invalidRecord', 'invalidRecord'])
  assert.deepEqual([10, 18].map(failureOfCode), ['tooLarge', 'tooLarge'])
  assert.deepEqual([6, 74, 75].map(failureOfCode), ['staleMetadata', 'staleMetadata', 'staleMetadata'])
  assert.deepEqual([7, 19, 20, 9999, -1].map(failureOfCode), [
    'temporary',
    'temporary',
    'temporary',
    'temporary',
    'temporary',
  ])
})

test('errors: any exception has a failure and one line of text', () => {
  for (const thrown of [undefined, null, 'text', 7, new Error('two\nlines'), { code: 3 }]) {
    assert.equal(kafkaFailureOf(thrown), 'unreachable')
    assert.ok(!failureText(thrown).includes('\n'))
  }
})

test('errors: a response that violates the protocol is `badResponse`, however kafkajs reports it', () => {
  const decoder = new RangeError('The value of "offset" is out of range')
  const wrapped = new kafkajs['KafkaJSNonRetriableError'](decoder, { cause: decoder })
  assert.equal(kafkaFailureOf(wrapped), 'badResponse')
  const { message, code } = new BadResponseError('the broker announces a response of -5 bytes')
  assert.equal(
    kafkaFailureOf(new kafkajs['KafkaJSConnectionError'](`Connection error: ${message}`, { code })),
    'badResponse',
  )
})

test('errors: authentication with unusable credentials is `refused`', () => {
  assert.equal(kafkaFailureOf(new RefusedError('there are no AWS credentials')), 'refused')
})

test('errors: a leader missing from the metadata is `staleMetadata`', () => {
  assert.equal(kafkaFailureOf(new kafkajs['KafkaJSBrokerNotFound']('Broker 7 not found')), 'staleMetadata')
})

test('errors: of several errors the first decides', () => {
  const denied = Object.assign(new Error('Not authorized'), { code: 29 })
  const error = Object.assign(new Error('Topic creation errors'), { errors: [denied] })
  assert.equal(kafkaFailureOf(error), 'refused')
  assert.equal(failureText(error), 'Not authorized')
})
