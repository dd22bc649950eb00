import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafkajsBroker, parseBroker, resolveAlias } from '../../src/kafka/broker-address.ts'

const ADDRESSES = [
  ['kafka-0.kafka:9092', 'kafka-0.kafka', 9092],
  ['10.0.0.1:19092', '10.0.0.1', 19092],
  ['[::1]:9092', '::1', 9092],
  ['[fd00:10:244::1f]:9093', 'fd00:10:244::1f', 9093],
  ['[::ffff:10.0.0.1]:9092', '::ffff:10.0.0.1', 9092],
] as const

test('broker address: separates host and port, also of IPv6 literals in brackets', () => {
  for (const [broker, host, port] of ADDRESSES) assert.deepEqual(parseBroker(broker), { host, port })
})

test('broker address: the form for kafkajs resolves to the original host', () => {
  for (const [broker, host, port] of ADDRESSES) {
    const [alias, ...rest] = kafkajsBroker(broker).split(':')
    assert.deepEqual([resolveAlias(alias), rest], [host, [String(port)]])
  }
})
