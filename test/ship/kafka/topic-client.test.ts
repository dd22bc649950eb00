import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { defaultConfig } from '../../../src/config/load.ts'
import { kafkaFailureOf } from '../../../src/kafka/errors.ts'
import { errorOfCode } from '../../../src/kafka/kafkajs-internals.ts'
import { KafkaWire } from '../../../src/kafka/kafkajs-wire.ts'
import { FoldedLog } from '../../../src/log/folded-log.ts'
import { TopicClient } from '../../../src/ship/kafka/topic-client.ts'
import { ScriptedBroker } from '../../kafka/scripted-broker.ts'

/** A client of a broker that does not exist. @param lines receives the messages that it logs */
const unconnected = (lines: string[], clock: () => number): TopicClient =>
  new TopicClient({
    settings: { ...defaultConfig().kafka, brokers: ['127.0.0.1:1'], topic: 'pairs' },
    maxMessageBytes: 1,
    log: new FoldedLog(({ message }) => lines.push(message), { periodMs: 0 }),
    clock,
    onChange: () => {},
  })

/** Uses given metadata, because a real broker lacks a leader only for a moment. */
test('topic client: metadata without a leader are refreshed soon, complete ones after a minute', async (t) => {
  let leaders = [-1, -1]
  t.mock.method(KafkaWire.prototype, 'leaders', () => Promise.resolve(leaders))
  t.mock.method(KafkaWire.prototype, 'maxMessageBytes', () => Promise.resolve(null))
  let nowMs = 0
  const lines: string[] = []
  const client = unconnected(lines, () => nowMs)
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

/** Delays before attempts, where each is as long as it may be. */
const LONGEST_DELAYS = [150, 250, 450, 850, 1650, 2000, 2000]

for (const damage of [
  { requests: 'all', kind: 'twice' },
  { requests: 'all', kind: 'otherId' },
  { requests: 'produce', kind: 'twice' },
  { requests: 'produce', kind: 'otherId' },
] as const) {
  test(`topic client: invalid responses (${damage.requests}, ${damage.kind}) are followed by ever longer delays`, async (t) => {
    t.mock.method(Math, 'random', () => 1)
    const broker = await ScriptedBroker.listen('pairs')
    t.after(() => broker.close())
    let nowMs = 0
    const lines: string[] = []
    const client = new TopicClient({
      settings: { ...defaultConfig().kafka, brokers: [`127.0.0.1:${broker.port}`], topic: 'pairs' },
      maxMessageBytes: 1,
      log: new FoldedLog(({ message }) => lines.push(message), {
        periodMs: 0,
        isEnabled: (level) => level !== 'debug',
      }),
      clock: () => nowMs,
      onChange: () => {},
    })
    t.after(() => client.close())
    const produce = async (): Promise<void> => {
      const batch = Buffer.from('batch')
      const partitions = [{ partition: 0, batch: [batch], bytes: batch.length }]
      const response = client.produce(1, { acks: 1, partitions, onSend: () => {} })
      const settled = response.then(
        () => client.reportUp(0),
        (error: unknown) => {
          client.requestFailed(kafkaFailureOf(error))
          client.reportDown(error)
        },
      )
      let done = false
      void settled.then(() => {
        done = true
      })
      while (!done) {
        broker.held[0]?.respond()
        await turn()
      }
    }
    /** @returns how long the client waits after what it has done when it was due */
    const attempt = async (): Promise<number> => {
      nowMs = Math.max(nowMs, client.nextDueMs)
      client.refreshIfDue(nowMs)
      while (client.nextDueMs === Infinity) await turn()
      if (client.connected) {
        await produce()
        if (broker.damage !== null) while (client.connected) await turn()
      }
      return client.nextDueMs - nowMs
    }
    broker.damage = damage
    const delays: number[] = []
    while (delays.length < LONGEST_DELAYS.length) delays.push(await attempt())
    assert.deepEqual(delays, LONGEST_DELAYS)
    assert.ok(broker.connections <= 2 * delays.length, `${broker.connections} connections`)
    assert.equal(lines.length, 1, lines.join('\n'))

    broker.damage = null
    assert.equal(await attempt(), 60_000)
    broker.damage = damage
    await produce()
    while (client.connected) await turn()
    assert.equal(client.nextDueMs - nowMs, 2000, 'its last answers were good, and too early to be trusted')

    broker.damage = null
    await attempt()
    nowMs += 2000
    await produce()
    broker.damage = damage
    await produce()
    while (client.connected) await turn()
    assert.equal(client.nextDueMs - nowMs, 150)
  })
}

test('topic client: names the pause of the process that made requests fail, and not the brokers', (t) => {
  let nowMs = 0
  const lines: string[] = []
  const client = unconnected(lines, () => nowMs)
  t.after(() => client.close())
  t.mock.method(KafkaWire.prototype, 'leaders', () => Promise.resolve([1]))
  t.mock.method(KafkaWire.prototype, 'maxMessageBytes', () => Promise.resolve(null))
  for (; nowMs < 3000; nowMs += 750) client.refreshIfDue(nowMs)
  nowMs += 20_000
  client.reportDown(new Error('Request Produce(key: 0, version: 7) timed out'))
  assert.deepEqual(lines, [
    'this process did not run for 21 s, and its connections to Kafka ended meanwhile; pairs wait in the buffer',
  ])
  for (const end = nowMs + 2250; nowMs < end; nowMs += 750) client.refreshIfDue(nowMs)
  client.reportDown(new Error('Request Produce(key: 0, version: 7) timed out'))
  assert.match(lines.at(-1) ?? '', /^Kafka is unreachable: .*timed out: check the brokers’ addresses/)
})
