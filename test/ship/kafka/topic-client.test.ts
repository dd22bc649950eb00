import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { defaultConfig } from '../../../src/config/load.ts'
import { errorOfCode } from '../../../src/kafka/kafkajs-internals.ts'
import { KafkaWire } from '../../../src/kafka/kafkajs-wire.ts'
import { FoldedLog } from '../../../src/log/folded-log.ts'
import { TopicClient } from '../../../src/ship/kafka/topic-client.ts'

/** Uses given metadata, because a real broker lacks a leader only for a moment. */
test('topic client: metadata without a leader are refreshed soon, complete ones after a minute', async (t) => {
  let leaders = [-1, -1]
  t.mock.method(KafkaWire.prototype, 'leaders', () => Promise.resolve(leaders))
  t.mock.method(KafkaWire.prototype, 'maxMessageBytes', () => Promise.resolve(null))
  let nowMs = 0
  const lines: string[] = []
  const client = new TopicClient({
    settings: { ...defaultConfig().kafka, brokers: ['127.0.0.1:1'], topic: 'pairs' },
    maxMessageBytes: 1,
    log: new FoldedLog(({ message }) => lines.push(message), { periodMs: 0 }),
    clock: () => nowMs,
    onChange: () => {},
  })
  t.after(() => client.close())
  const refresh = async (): Promise<number> => {
    nowMs = Math.max(nowMs, client.nextDueMs)
    client.refreshIfDue(nowMs)
    while (client.nextDueMs === Infinity) await turn()
    return client.nextDueMs - nowMs
  }
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const delayMs = await refresh()
    assert.ok(delayMs > 0 && delayMs <= 2_000, `${delayMs} ms`)
  }
  assert.deepEqual(lines, ['no partition of the topic pairs has a leader; pairs wait in the buffer'])
  leaders = [1, -1]
  assert.ok((await refresh()) <= 2_000)
  assert.equal(lines.length, 1)
  leaders = [1, 2]
  assert.equal(await refresh(), 60_000)
  client.reportUp(0)
  assert.equal(lines.at(-1), 'Kafka accepts pairs again')
})

test('topic client: an outage is logged once for each cause, again after ten minutes, and at its end', () => {
  let nowMs = 0
  const lines: [string, unknown][] = []
  const client = new TopicClient({
    settings: { ...defaultConfig().kafka, brokers: ['127.0.0.1:1'], topic: 'pairs' },
    maxMessageBytes: 1,
    log: new FoldedLog(({ message, fields }) => lines.push([message, fields]), { periodMs: 0 }),
    clock: () => nowMs,
    onChange: () => {},
  })
  const texts = ['connect ECONNREFUSED 127.0.0.1:1', 'Closed connection', 'no response within 40 s', 'read ECONNRESET']
  client.reportBrokerDown(1, new Error('Closed connection'))
  for (; nowMs <= 10 * 60_000; nowMs += 1000) {
    client.reportDown(new Error(texts[(nowMs / 1000) % texts.length]))
    client.reportBrokerDown(1, new Error('Closed connection'))
    client.reportRefused(2, 7, errorOfCode(7))
  }
  client.reportDown(Object.assign(new Error('getaddrinfo ENOTFOUND kafka.test'), { code: 'ENOTFOUND' }))
  client.reportDown(errorOfCode(3))
  client.reportUp(0)
  client.reportUp(0)
  client.close()
  const unreachable = 'Kafka is unreachable: 127.0.0.1:1 refuses connections (ECONNREFUSED)'
  const hint = 'check the brokers’ addresses, also those that they advertise; pairs wait in the buffer'
  assert.deepEqual(lines, [
    ['broker 1 does not accept pairs: the broker closed the connection', {}],
    [`${unreachable}: ${hint}`, {}],
    [`${unreachable}: ${hint}`, { repeated: 599 }],
    [`Kafka is unreachable: the host name kafka.test is unknown (ENOTFOUND): ${hint}`, {}],
    ['Kafka has no topic pairs: create it, or set kafka.createTopic; pairs wait in the buffer', {}],
    ['Kafka accepts pairs again', { afterSeconds: 601 }],
  ])
})

test('topic client: logs rejections for different reasons separately', () => {
  const lines: string[] = []
  const client = new TopicClient({
    settings: { ...defaultConfig().kafka, brokers: ['127.0.0.1:1'], topic: 'pairs' },
    maxMessageBytes: 1,
    log: new FoldedLog(({ message }) => lines.push(message), { periodMs: 0 }),
    clock: () => 0,
    onChange: () => {},
  })
  const codes = [58, 17, 44, 76]
  for (const code of [...codes, ...codes]) client.reportDown(errorOfCode(code))
  client.close()
  const hints = [/check kafka\.sasl/, /correct kafka\.topic/, /see the policies/, /choose another kafka\.compression/]
  assert.equal(lines.length, hints.length, lines.join('\n'))
  for (const [index, hint] of hints.entries()) assert.match(lines[index], hint)
})
