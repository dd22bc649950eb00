/** A real Kafka behind proxies that corrupt its responses, break its connections, or have names that do not resolve. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { needs } from '../../rig/needs.ts'
import { reservePorts } from '../../rig/ports.ts'
import { killAtExit } from '../../rig/process-tree.ts'
import { PROGRAM } from '../../rig/root.ts'
import { clientFor, REQUEST_TIMEOUT_MS } from '../../src/kafka/client.ts'
import { KafkaWire } from '../../src/kafka/kafkajs-wire.ts'
import { unpackPair } from '../../src/pair/unpack.ts'
import { type ShipperRun, until } from '../ship/support.ts'
import { BrokerProxy, type Damage, proxyListeners } from '../support/broker-proxy.ts'
import { assertLaws } from '../support/ledger.ts'
import { assertOrderPerKey, configFor, keepPutting, readTopic, shipTo } from './kafka-support.ts'

/** The broker's own three ports; then a listener of the broker and its proxy for each kind of damage. */
const PORT = await reservePorts(24)
const FIRST_PROXY = PORT + 4
/** A request in flight when the damage ends may have to wait for its timeout, and a retry waits for 2 s. */
const RESUMED_MS = REQUEST_TIMEOUT_MS + 10_000
/** Seed of the random damage, which is the same in each run. */
const SEED = 7_300_631
const CONVERSATIONS = 300
/** Clients retry a wrong broker address for seconds, so each attempt is limited to this time. */
const LATE_MS = 200
/** Longer than any machine takes for the steps that LATE_MS bounds. */
const BLOCKED_MS = 10_000
/** Length and correlation id; the latter identifies the request of a response. */
const HEADER_BYTES = 8

/** A reproducible sequence of numbers from 0 to 1 (mulberry32). */
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

/** A name that only a test's hosts file resolves. */
const NAME = 'kafka.test'
/** Ports of further proxies, after those of DAMAGES. */
const [FEW_WRONG, HALF_CLOSED, STALLED, HOUR, NAMED] = [5, 6, 7, 8, 9]

/** Produces a pair every few milliseconds until stopped. */
const trickle = (run: ShipperRun, bodyBytes = 300): (() => Promise<number>) =>
  keepPutting(run, { burst: 1, pauseMs: 4, connections: 8, bodyBytes })

suite('kafka: a real broker behind a proxy', { skip: needsKafka(), concurrency: true }, () => {
  const proxies: BrokerProxy[] = []
  let broker: KafkaBroker
  before(async () => {
    for (let index = 0; index <= NAMED; index += 1) {
      proxies.push(new BrokerProxy(FIRST_PROXY + 2 * index, index === NAMED ? NAME : undefined))
    }
    broker = new KafkaBroker({ port: PORT, properties: proxyListeners(PORT, proxies) })
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

  test(`kafka: responses with corrupt bytes fail an attempt, never the thread (seed ${SEED})`, async (t) => {
    const proxy = proxies[FEW_WRONG]
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

  test('kafka: a connection that the broker half-closes is replaced, and nothing is lost', async () => {
    const proxy = proxies[HALF_CLOSED]
    const config = configFor(broker, 'half-closed', { kafka: { brokers: [`127.0.0.1:${proxy.port}`] } })
    const run = shipTo(config, { whenFull: 'drop' })
    const stop = trickle(run)
    for (let round = 1; round <= 3; round += 1) {
      const before = run.counter('shipped')
      await until('pairs are shipped', () => run.counter('shipped') > before + 20, RESUMED_MS)
      proxy.halfClose()
    }
    const before = run.counter('shipped')
    // No request waits for its timeout, because the end of the connection is detected at once.
    await until('shipping continues', () => run.counter('shipped') > before + 20, REQUEST_TIMEOUT_MS)
    const count = await stop()
    await run.finish()
    assert.deepEqual([run.dropped, run.counter('shipped')], [0, count])
    assertOrderPerKey(readTopic(broker, 'half-closed'), count, true)
  })

  test('kafka: with acks none, a broker that stops reading is reported, and disconnected after the request timeout', async () => {
    const proxy = proxies[STALLED]
    const config = configFor(broker, 'stalled', { kafka: { brokers: [`127.0.0.1:${proxy.port}`], acks: 'none' } })
    const run = shipTo(config, { whenFull: 'drop' })
    // Fills the sockets within seconds, and stays below ship.bufferBytes within the timeout.
    const stop = trickle(run, 10_000)
    await until('pairs are shipped', () => run.counter('shipped') > 20, RESUMED_MS)
    proxy.stall()
    const isReported = (): boolean => run.logs.some((line) => /the broker accepts no more bytes/.test(line))
    await until('it is reported', isReported, 2 * RESUMED_MS)
    const before = run.counter('shipped')
    await until('shipping continues', () => run.counter('shipped') > before + 100, RESUMED_MS)
    await stop()
    await run.finish()
    assert.equal(run.dropped, 0)
  })

  test('kafka: after an hour’s outage, compressed 600 times, old pairs are dropped and new ones shipped at once', async () => {
    const [maxAge, hourMs] = [500, 6_000]
    const proxy = proxies[HOUR]
    const config = configFor(broker, 'hour', {
      kafka: { brokers: [`127.0.0.1:${proxy.port}`] },
      ship: { maxAge },
    })
    const run = shipTo(config, { whenFull: 'drop' })
    const stop = trickle(run)
    await until('pairs are shipped', () => run.counter('shipped') > 20, RESUMED_MS)
    proxy.refuse()
    let [mostBytes, mostQueued] = [0, 0]
    for (const end = performance.now() + hourMs; performance.now() < end; await sleep(20)) {
      mostBytes = Math.max(mostBytes, run.status.bytes)
      mostQueued = Math.max(mostQueued, run.counter('queued'))
    }
    const before = run.counter('shipped')
    proxy.admit()
    await until('shipping continues', () => run.counter('shipped') > before, RESUMED_MS)
    const count = await stop()
    await run.finish()
    assert.equal(run.counter('shipped') + run.counter('droppedMaxAge'), count)
    assert.ok(run.counter('droppedMaxAge') > mostQueued, `${run.counter('droppedMaxAge')} dropped`)
    // The outage lasts twelve times maxAge; a busy machine drops later, but also produces fewer pairs.
    assert.ok(mostQueued < count / 2 && mostBytes < 1000 * mostQueued, `${mostQueued} pairs, ${mostBytes} bytes`)
    // Refused connections end in several ways, which are one outage.
    const reports = run.logs.filter((line) => /unreachable|has a leader|does not accept|accepts/.test(line))
    assert.equal(reports.length, 2, reports.join('\n'))
    assert.match(reports[0], /^(Kafka is unreachable|no partition)/, run.logs.join('\n'))
    assert.doesNotMatch(reports[0], /may require/)
    assert.equal(reports[1], 'Kafka accepts pairs again')
    assertOrderPerKey(readTopic(broker, 'hour'), run.counter('shipped'), true)
  })

  test('kafka: a bootstrap name that stops resolving is reported, and used once it resolves again', {
    skip: needs('root', 'unshare', 'libpcap'),
  }, async (t) => {
    const proxy = proxies[NAMED]
    const folder = mkdtempSync(join(tmpdir(), 'names-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const [hosts, resolver, summary] = ['hosts', 'resolv.conf', 'summary'].map((name) => join(folder, name))
    const resolve = (): void => writeFileSync(hosts, `127.0.0.1 localhost ${NAME}\n`)
    resolve()
    // Nothing listens there, so that a name which the hosts file lacks is refused at once.
    writeFileSync(resolver, 'nameserver 127.0.0.53\noptions attempts:1 timeout:1\n')
    const server = createServer((_, response) => response.setHeader('content-type', 'application/json').end('{}'))
    t.after(() => server.close())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const options = ['-i', 'lo', '--brokers', `${NAME}:${proxy.port}`, '--topic', 'named', '--summary', summary]
    const more = ['--set', 'kafka.createTopic=true', 'port', String(port)]
    const script = `mount --bind ${hosts} /etc/hosts; mount --bind ${resolver} /etc/resolv.conf; exec "$@"`
    const command = [process.execPath, PROGRAM, 'capture', ...options, ...more]
    const child = killAtExit(spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', ...command]))
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    await broker.createTopic('named')
    const request = (path: string): Promise<unknown> =>
      new Promise((done, fail) => {
        get({ port, path, agent: false }, (response) => response.resume().on('end', done)).on('error', fail)
      })
    const targets = (): string[] => readTopic(broker, 'named').map(({ value }) => targetOf(value))
    while (targets().length === 0) {
      assert.equal(child.exitCode, null, errors)
      await request('/early')
      await sleep(100)
    }
    writeFileSync(hosts, '127.0.0.1 localhost\n')
    proxy.refuse()
    proxy.admit()
    const numbered = Array.from({ length: 20 }, (_, number) => `/${number}`)
    for (const path of numbered) await request(path)
    await until(`it is reported: ${errors}`, () => /unreachable.*kafka\.test.*(ENOTFOUND|EAI_AGAIN)/.test(errors))
    assert.equal(targets().filter((path) => path !== '/early').length, 0)
    resolve()
    await until('it is reported', () => errors.includes('Kafka accepts pairs again'), RESUMED_MS)
    child.kill('SIGTERM')
    const [code] = await once(child, 'close')
    assert.equal(code, 0, errors)
    assert.deepEqual(
      targets()
        .filter((path) => path !== '/early')
        .sort(),
      numbered.sort(),
    )
    // Reports of the broken connection, which may end in two ways, and of the name.
    assert.ok((errors.match(/unreachable/g)?.length ?? 0) <= 3, errors)
    assert.doesNotMatch(errors, /may require/)
    assertLaws(JSON.parse(readFileSync(summary, 'utf8')))
  })
})

/** The request target of a packed pair. */
function targetOf(value: Buffer): string {
  const pair = unpackPair(value)
  if (pair instanceof Error) throw pair
  return pair.request.target
}
