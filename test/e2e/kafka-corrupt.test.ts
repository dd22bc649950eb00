/** Proxies in front of a real Kafka that damage the broker’s responses. */
import assert from 'node:assert/strict'
import { connect, createServer, type Server } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { clientFor, REQUEST_TIMEOUT_MS } from '../../src/kafka/client.ts'
import { KafkaWire } from '../../src/kafka/kafkajs-wire.ts'
import { until } from '../ship/support.ts'
import { configFor, shipTo } from './kafka-support.ts'

/** The broker's own three ports; then a listener of the broker and its proxy for each kind of damage. */
const PORT = 21290
const FIRST_PROXY = PORT + 4
/** A request in flight when the damage ends may have to wait for its timeout, and a retry waits for 2 s. */
const RESUMED_MS = REQUEST_TIMEOUT_MS + 10_000
/** Of the random damage, which is the same in each run. */
const SEED = 7_300_631
const CONVERSATIONS = 300
/** A wrong address or port of a broker is tried for seconds: such a conversation is given up on. */
const LATE_MS = 200
/** Longer than any machine needs for the steps that LATE_MS bounds. */
const BLOCKED_MS = 10_000
/** Length and correlation id, with which kafkajs finds the request of a response. */
const HEADER_BYTES = 8

/** What becomes of a chunk on its way from the broker; null: the connection is cut after half of it. */
type Damage = (chunk: Buffer) => Buffer | null

/** Numbers from 0 to 1, always the same ones (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Replaces this share of the bytes from `start` on. */
function randomDamage(random: () => number, share: number, start = 0): Damage {
  return (chunk) =>
    Buffer.from(chunk.map((byte, at) => (at >= start && random() < share ? Math.floor(random() * 256) : byte)))
}

const DAMAGES: Readonly<Record<string, Damage>> = {
  'responses cut in the middle': () => null,
  'lengths below zero': (chunk) => Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xfb]), chunk.subarray(4)]),
  'lengths of 2 GB': (chunk) => Buffer.concat([Buffer.from([0x7f, 0xff, 0xff, 0xf0]), chunk.subarray(4)]),
  'other correlation ids': (chunk) => Buffer.concat([chunk.subarray(0, 4), Buffer.alloc(4, 0x7e), chunk.subarray(8)]),
  'random bytes': randomDamage(randomNumbers(SEED), 0.3),
}

/** A proxy to the broker's listener one port below it. */
class DamagingProxy {
  damage: Damage | null = null
  readonly port: number
  readonly #server: Server

  constructor(port: number) {
    this.port = port
    this.#server = createServer((client) => {
      const server = connect(port - 1, '127.0.0.1')
      client.on('error', () => server.destroy()).on('close', () => server.destroy())
      server.on('error', () => client.destroy()).on('close', () => client.destroy())
      client.on('data', (chunk) => server.write(chunk))
      server.on('data', (chunk) => {
        const sent = this.damage === null ? chunk : this.damage(chunk)
        if (sent !== null) client.write(sent)
        else client.end(chunk.subarray(0, chunk.length >> 1))
      })
    }).listen(port, '127.0.0.1')
  }

  close(): void {
    this.#server.close()
  }
}

/** Settings of a broker with one listener per proxy, which it advertises to clients of that proxy. */
function listeners(proxies: readonly DamagingProxy[]): string[] {
  const own = [
    `PLAINTEXT://127.0.0.1:${PORT}`,
    `SASL_SSL://localhost:${PORT + 1}`,
    `CONTROLLER://127.0.0.1:${PORT + 2}`,
  ]
  const proxied = (offset: number): string[] =>
    proxies.map(({ port }, index) => `PROXY${index}://127.0.0.1:${port + offset}`)
  const protocols = proxies.map((_, index) => `PROXY${index}:PLAINTEXT`)
  return [
    `listeners=${[...own, ...proxied(-1)].join(',')}`,
    `advertised.listeners=${[...own, ...proxied(0)].join(',')}`,
    `listener.security.protocol.map=${['CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL', ...protocols].join(',')}`,
  ]
}

suite('a broker that sends invalid responses', { skip: needsKafka(), concurrency: true }, () => {
  const proxies: DamagingProxy[] = []
  let broker: KafkaBroker
  before(async () => {
    for (let index = 0; index <= Object.keys(DAMAGES).length; index += 1) {
      proxies.push(new DamagingProxy(FIRST_PROXY + 2 * index))
    }
    broker = new KafkaBroker({ port: PORT, properties: listeners(proxies) })
    await broker.start()
  })
  after(async () => {
    for (const proxy of proxies) proxy.close()
    await broker?.remove()
  })

  for (const [index, [what, damage]] of Object.entries(DAMAGES).entries()) {
    test(`kafka: ${what}: the shipper keeps running, loses nothing, and resumes`, async () => {
      const proxy = proxies[index]
      const brokers = [`127.0.0.1:${proxy.port}`]
      const run = shipTo(configFor(broker, what.replaceAll(' ', '-'), { kafka: { brokers } }), { whenFull: 'drop' })
      await run.put(0)
      run.flush()
      await until('the first pair is shipped', () => run.counter('shipped') === 1, 60_000)
      proxy.damage = damage
      for (let number = 1; number < 150; number += 1) {
        await run.put(number, { connection: number })
        run.flush()
        await sleep(15)
      }
      proxy.damage = null
      await until('the rest is shipped', () => run.counter('shipped') >= 150, RESUMED_MS)
      assert.equal((await run.finish()).t, 'done')
      assert.equal(run.dropped, 0)
    })
  }

  test(`kafka: responses with a few wrong bytes end a client’s attempt, never its thread (seed ${SEED})`, async (t) => {
    const proxy = proxies[Object.keys(DAMAGES).length]
    const { kafka } = configFor(broker, 'few-wrong-bytes', { kafka: { brokers: [`127.0.0.1:${proxy.port}`] } })
    await broker.createTopic(kafka.topic)
    const random = randomNumbers(SEED)
    const outcomes = { read: 0, failed: 0, late: 0 }
    for (let number = 0; number < CONVERSATIONS; number += 1) {
      proxy.damage = randomDamage(random, 0.002 * (number % 10), HEADER_BYTES)
      const client = clientFor(kafka, { log: () => {} })
      const wire = new KafkaWire(client, kafka.clientId, kafka.topic, REQUEST_TIMEOUT_MS)
      const attempt = wire.leaders().then((leaders) => wire.maxMessageBytes(leaders[0] ?? 1))
      const outcome = attempt.then(
        () => 'read' as const,
        () => 'failed' as const,
      )
      const begunMs = performance.now()
      outcomes[await Promise.race([outcome, sleep(LATE_MS, 'late' as const)])] += 1
      assert.ok(performance.now() - begunMs < BLOCKED_MS, `conversation ${number} blocked the thread`)
      client.close()
    }
    t.diagnostic(JSON.stringify(outcomes))
    assert.ok(outcomes.read > 0 && outcomes.failed > CONVERSATIONS / 10, JSON.stringify(outcomes))
  })
})
