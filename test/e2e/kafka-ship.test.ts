import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import * as zlib from 'node:zlib'
import { ACL_PROPERTIES, JVM_FLAGS, KAFKA_PASSWORD, KAFKA_USER, KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { KAFKA_JARS } from '../../rig/kafka-jars.ts'
import { needs } from '../../rig/needs.ts'
import { reservePorts } from '../../rig/ports.ts'
import { killAtExit, killChildren } from '../../rig/process-tree.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { allChecks } from '../../src/doctor/all-checks.ts'
import { kafkaChecks } from '../../src/doctor/kafka-checks.ts'
import { EXIT_USAGE } from '../../src/errors.ts'
import { packPair } from '../../src/pair/unpack.ts'
import { BASE_MICROS, makePair, until } from '../ship/support.ts'
import { assertOrderPerKey, configFor, pairNumber, readTopic, shipTo } from './kafka-support.ts'

const skip = needsKafka()
const hasZstd = 'zstdCompress' in zlib

suite('kafka: shipping to a real broker', { skip }, () => {
  let broker: KafkaBroker
  before(async () => {
    // kafkajs reauthenticates ten seconds before the broker requires it: half a second into a connection.
    const properties = ['connections.max.reauth.ms=10500', ...ACL_PROPERTIES]
    broker = new KafkaBroker({ port: await reservePorts(3), properties })
    await broker.start()
  })
  after(() => broker?.remove())

  test('kafka: a pair arrives unchanged as a CloudEvent, keyed by its connection', async () => {
    const run = shipTo(configFor(broker, 'one'))
    await run.put(0xabc, { connection: 0xfedc0123 })
    await run.finish()
    const [record] = readTopic(broker, 'one')
    assert.deepEqual(record.value, Buffer.from(packPair(makePair(0xabc))))
    assert.equal(record.key, 'fedc0123')
    assert.deepEqual(Object.fromEntries(record.headers), {
      ce_specversion: '1.0',
      ce_id: makePair(0xabc).id,
      ce_type: 'dev.interceptor.http.pair.v1',
      ce_source: '/interceptor/node-1',
      ce_time: '2026-11-23T12:58:07.126204Z',
      'content-type': 'application/msgpack',
    })
    assert.equal(run.counter('shipped'), 1)
  })

  test('kafka: the kcat commands of docs/pair.md work', { skip: needs('jq') }, async () => {
    const run = shipTo(configFor(broker, 'recipes', { ship: { format: 'json' } }))
    await run.put(1)
    await run.finish()
    const commands = [...recipesFor(broker, 'recipes').matchAll(/^kcat .* -e .*$/gm)].map(([command]) => command)
    const [headers, status] = commands.map((command) =>
      execFileSync('sh', ['-c', command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    )
    assert.match(headers, new RegExp(`content-type=application/json,.*ce_id=${makePair(1).id},`))
    assert.equal(status, '200\n')
    assert.equal(commands.length, 2)
  })

  suite('kafka: the consumers of docs/pair.md read pairs', { concurrency: true }, () => {
    const pair = makePair(7)
    const line = `${pair.id} GET /orders/7 200`

    test('in Node.js', async (t) => {
      const path = await recipeFile(broker, t, 'js', 'mjs', 'msgpack')
      assert.equal(await firstLine(t, path, process.execPath, [path]), `${line} ${BASE_MICROS + 7}`)
    })

    test('in Python', { skip: needs('python-msgpack') }, async (t) => {
      const path = await recipeFile(broker, t, 'python', 'py', 'msgpack')
      const [command] = recipesFor(broker, 'recipe-python').match(/^kcat .*python3 .*$/m) ?? []
      assert.ok(command !== undefined)
      const printed = await firstLine(t, path, 'sh', ['-c', command.replace('pairs.py', path)])
      assert.equal(printed, `${line} ${pair.response.body.length}`)
    })

    test('in Java', async (t) => {
      const path = await recipeFile(broker, t, 'java', 'java', 'json')
      assert.equal(await firstLine(t, path, 'java', [...JVM_FLAGS, '-cp', `${KAFKA_JARS}/*`, path]), line)
    })
  })

  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const lacks = compression === 'zstd' && !hasZstd ? 'zstd comes with Node.js 22.15' : false
    test(`kafka: librdkafka reads ${compression} batches`, { skip: lacks }, async () => {
      const topic = `codec-${compression}`
      const run = shipTo(configFor(broker, topic, { kafka: { compression } }))
      for (let number = 0; number < 2000; number += 1) {
        await run.put(number, { connection: number % 7, bodyBytes: number % 1500 })
      }
      await run.finish()
      assert.equal(run.counter('shipped'), 2000)
      const records = readTopic(broker, topic)
      assert.deepEqual(
        records.map(pairNumber).sort((a, b) => a - b),
        Array.from({ length: 2000 }, (_, number) => number),
      )
    })
  }

  test('kafka: zstd without support in this Node.js is a usage error', {
    skip: hasZstd && 'has zstd',
  }, async () => {
    const run = shipTo(configFor(broker, 'no-zstd', { kafka: { compression: 'zstd' } }))
    await until('it failed', () => run.messages.length > 0)
    const [message] = run.messages
    assert.ok(message.t === 'failed' && message.exitCode === EXIT_USAGE)
    assert.match(message.message, /this Node\.js .* has no zstd/)
    assert.match(message.hint ?? '', /Run Node\.js 22\.15/)
  })

  for (const acks of ['none', 'leader', 'all'] as const) {
    test(`kafka: with acks ${acks}, every pair arrives, in order for each connection`, async () => {
      const topic = `acks-${acks}`
      const run = shipTo(configFor(broker, topic, { kafka: { acks }, ship: { batchBytes: 16 * 1024 } }), { rings: 2 })
      for (let number = 0; number < 5000; number += 1) await run.put(number, { connection: number % 10 }, number % 2)
      await run.finish()
      assert.equal(run.counter('shipped'), 5000)
      if (acks === 'none') await until('all are there', () => readTopic(broker, topic).length === 5000)
      assertOrderPerKey(readTopic(broker, topic), 5000)
    })
  }

  test('kafka: JSON values have their content type and parse as JSON', async () => {
    const run = shipTo(configFor(broker, 'json', { ship: { format: 'json' } }))
    await run.put(7)
    await run.finish()
    const [record] = readTopic(broker, 'json')
    assert.equal(record.headers.get('content-type'), 'application/json')
    assert.equal(JSON.parse(record.value.toString()).request.target, '/orders/7')
  })

  test('kafka: partitionBy server keys by the server, round-robin uses every partition without keys', async () => {
    const byServer = shipTo(configFor(broker, 'by-server', { kafka: { partitionBy: 'server' } }))
    for (let number = 0; number < 40; number += 1) await byServer.put(number, { connection: number, server: 9 })
    await byServer.finish()
    const records = readTopic(broker, 'by-server')
    assert.deepEqual([...new Set(records.map(({ key }) => key))], ['00000009'])
    assert.equal(new Set(records.map(({ partition }) => partition)).size, 1)
    const inTurn = shipTo(configFor(broker, 'in-turn', { kafka: { partitionBy: 'round-robin' } }))
    for (let number = 0; number < 40; number += 1) await inTurn.put(number)
    await inTurn.finish()
    const spread = readTopic(broker, 'in-turn')
    assert.equal(new Set(spread.map(({ partition }) => partition)).size, 4)
    assert.deepEqual([...new Set(spread.map(({ key }) => key))], [''])
  })

  test('kafka: a key’s partition is the one that Kafka’s partitioner chooses', async () => {
    const run = shipTo(configFor(broker, 'ours'))
    for (let number = 0; number < 200; number += 1) await run.put(number, { connection: number * 0x01234567 })
    await run.finish()
    const input = readTopic(broker, 'ours').map(({ key }) => `${key}=theirs\n`)
    broker.kcat(['-P', '-t', 'ours', '-K=', '-X', 'topic.partitioner=murmur2'], { input: input.join('') })
    const places = new Map<string, Set<number>>()
    for (const { key, partition } of readTopic(broker, 'ours')) {
      places.set(key, (places.get(key) ?? new Set()).add(partition))
    }
    assert.equal(places.size, 200)
    assert.ok([...places.values()].every((partitions) => partitions.size === 1))
  })

  test('kafka: -c N ships exactly N pairs', async () => {
    const run = shipTo(configFor(broker, 'limited'), { limit: 100 })
    for (let number = 0; number < 500; number += 1) await run.put(number, { connection: number })
    run.flush()
    await until('enough', () => run.messages.some(({ t }) => t === 'outputEnded'))
    await run.finish()
    assert.equal(run.counter('shipped'), 100)
    assert.equal(readTopic(broker, 'limited').length, 100)
  })

  test('kafka: drops only a pair over the broker’s limit', async () => {
    await broker.createTopic('oversize')
    const run = shipTo(configFor(broker, 'oversize'), { ringBytes: 16 * 1024 * 1024 })
    for (let number = 0; number < 300; number += 1) {
      await run.put(number, { bodyBytes: number === 150 ? 1_200_000 : 100 })
    }
    await run.finish()
    assert.equal(run.counter('shipped'), 299)
    assert.equal(run.counter('droppedRejected'), 1)
    assert.match(
      run.logs.join('\n'),
      /a pair cannot be shipped and is dropped: .*larger than the topic’s max\.message\.bytes/,
    )
    assert.ok(!readTopic(broker, 'oversize').map(pairNumber).includes(150))
    assertOrderPerKey(readTopic(broker, 'oversize'), 299)
  })

  test('kafka: brokers that reject batches of batchBytes receive smaller ones, and only pairs that are too large themselves are dropped', async () => {
    await broker.createTopic('small', ['max.message.bytes=20000'])
    const run = shipTo(configFor(broker, 'small'))
    for (let number = 0; number < 2000; number += 1) {
      await run.put(number, { bodyBytes: number % 500 === 250 ? 30_000 : 1000 })
    }
    await run.finish()
    assert.equal(run.counter('shipped'), 1996)
    assert.equal(run.counter('droppedRejected'), 4)
    assertOrderPerKey(readTopic(broker, 'small'), 1996)
  })

  test('kafka: records that a topic will never accept are dropped and counted one by one', async () => {
    await broker.createTopic('compacted', ['cleanup.policy=compact'])
    const run = shipTo(configFor(broker, 'compacted', { kafka: { partitionBy: 'round-robin' } }))
    for (let number = 0; number < 20; number += 1) await run.put(number)
    await run.finish()
    assert.equal(run.counter('droppedRejected'), 20)
  })

  test('kafka: where a topic refuses this node’s time, pairs are shipped without it', async () => {
    // Earlier than the broker's clock, as every batch waits for `ship.linger`.
    await broker.createTopic('other-clock', ['message.timestamp.before.max.ms=1'])
    const run = shipTo(configFor(broker, 'other-clock'))
    for (let number = 0; number < 100; number += 1) await run.put(number, { connection: number % 5 })
    await run.finish()
    assert.deepEqual([run.counter('shipped'), run.dropped], [100, 0])
    assertOrderPerKey(readTopic(broker, 'other-clock'), 100)
    assert.ok(
      run.logs.some((line) => line.includes('refuses this node’s time')),
      run.logs.join(),
    )
  })

  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    test(`kafka: ships over TLS and SASL ${mechanism} and reauthenticates meanwhile`, async () => {
      const passwordFile = join(broker.folder, 'password')
      writeFileSync(passwordFile, `${KAFKA_PASSWORD}\n`)
      const topic = `sasl-${mechanism}`
      const config = configFor(broker, topic, { kafka: secured(broker, mechanism, passwordFile) })
      const run = shipTo(config)
      for (let number = 0; number < 500; number += 1) {
        await run.put(number, { connection: number % 5 })
        run.flush()
        if (number % 10 === 0) await sleep(20)
      }
      await run.finish()
      assert.equal(run.counter('shipped'), 500)
      assert.ok(!run.logs.some((line) => /away|refuses/.test(line)), run.logs.join())
      assertOrderPerKey(readTopic(broker, topic), 500)
    })
  }

  test('kafka: a wrong password is reported and retried, and works once the file is corrected', async () => {
    const passwordFile = join(broker.folder, 'changing')
    writeFileSync(passwordFile, 'wrong')
    const run = shipTo(configFor(broker, 'password', { kafka: secured(broker, 'scram-sha-256', passwordFile) }))
    await run.put(1)
    run.flush()
    await until('it is reported', () => run.logs.some((line) => /Kafka refuses this client/.test(line)))
    writeFileSync(passwordFile, KAFKA_PASSWORD)
    await until('the pair is shipped', () => run.counter('shipped') === 1)
    await run.finish()
    assert.ok(!JSON.stringify(run.messages).includes(KAFKA_PASSWORD))
  })

  test('kafka: a topic without permission to write is reported once for all partitions, and used once it is granted', async () => {
    const passwordFile = join(broker.folder, 'granted')
    writeFileSync(passwordFile, KAFKA_PASSWORD)
    await broker.createTopic('guarded')
    await broker.allow('guarded', 'Describe')
    const config = configFor(broker, 'guarded', { kafka: secured(broker, 'scram-sha-256', passwordFile) })
    const checks = []
    for await (const check of kafkaChecks(config)) checks.push(check)
    assert.equal(checks.at(-1)?.hint, 'allow the user shipper to Write the topic guarded')
    const run = shipTo(config)
    for (let number = 0; number < 20; number += 1) await run.put(number, { connection: number })
    run.flush()
    const isReport = (line: string): boolean => /Kafka (refuses|does not accept)/.test(line)
    await until('it is reported', () => run.logs.some(isReport))
    await broker.allow('guarded', 'Write')
    await until('the pairs are shipped', () => run.counter('shipped') === 20)
    await run.finish()
    const reports = new Set(run.logs.filter(isReport))
    assert.equal(reports.size, 1, [...reports].join('\n'))
    assert.match([...reports][0], /: allow the user shipper to Describe and Write the topic guarded; pairs wait/)
    assert.ok(run.logs.some((line) => line.includes('Kafka accepts pairs again')))
  })

  test('kafka: a permission to write that is revoked during the run is reported, and nothing is lost', async () => {
    const passwordFile = join(broker.folder, 'revoked')
    writeFileSync(passwordFile, KAFKA_PASSWORD)
    await broker.createTopic('revoked')
    for (const operation of ['Describe', 'Write'] as const) await broker.allow('revoked', operation)
    const run = shipTo(configFor(broker, 'revoked', { kafka: secured(broker, 'scram-sha-256', passwordFile) }))
    await run.put(0, { connection: 0 })
    run.flush()
    await until('a pair is shipped', () => run.counter('shipped') === 1)
    await broker.revoke('revoked', 'Write')
    const isReport = (line: string): boolean => line.startsWith('Kafka refuses this client')
    let count = 1
    // The broker applies the change some time later.
    for (; !run.logs.some(isReport); count += 1) {
      await run.put(count, { connection: count % 8 })
      run.flush()
      await sleep(10)
    }
    assert.ok(run.counter('shipped') < count)
    await broker.allow('revoked', 'Write')
    await until('the rest is shipped', () => run.counter('shipped') === count)
    await run.finish()
    assert.equal(run.dropped, 0)
    assert.equal(new Set(run.logs.filter(isReport)).size, 1)
    assertOrderPerKey(readTopic(broker, 'revoked'), count, true)
  })

  test('kafka: a missing topic is reported with a hint, and used once it exists', async () => {
    const run = shipTo(configFor(broker, 'late', { kafka: { createTopic: false } }))
    await run.put(1)
    run.flush()
    await until('it is reported', () =>
      run.logs.some((line) => /has no topic late: create it, or set kafka\.createTopic/.test(line)),
    )
    await broker.createTopic('late')
    await until('the pair is shipped', () => run.counter('shipped') === 1)
    await run.finish()
  })

  test('kafka: pairs that the broker did not accept in time are counted as dropped at shutdown', async () => {
    const config = configFor(broker, 'nowhere', { kafka: { createTopic: false } })
    const run = shipTo(config, { shutdownTimeoutMs: 300 })
    for (let number = 0; number < 10; number += 1) await run.put(number)
    await run.finish()
    assert.equal(run.counter('droppedShutdown'), 10)
  })

  test('doctor: checks broker, topic and permission to write, without writing', async () => {
    await broker.createTopic('examined', ['max.message.bytes=4000000'])
    const checks = []
    for await (const check of kafkaChecks(configFor(broker, 'examined'))) checks.push(check)
    assert.deepEqual(
      checks.map(({ name, state }) => [name, state]),
      [
        [`Kafka broker ${broker.plaintext}`, 'ok'],
        ['Kafka cluster', 'ok'],
        ['Kafka topic', 'ok'],
        ['Kafka max.message.bytes', 'ok'],
        ['Kafka write', 'ok'],
      ],
    )
    assert.equal(readTopic(broker, 'examined').length, 0)
  })

  test('doctor: a topic that refuses pairs within the limits is reported with the command that changes it', async () => {
    await broker.createTopic('stock')
    const checks = []
    for await (const check of kafkaChecks(configFor(broker, 'stock'))) checks.push(check)
    const check = checks.find(({ name }) => name === 'Kafka max.message.bytes')
    assert.equal(check?.state, 'warning')
    assert.match(check?.found ?? '', /^1048588, but pairs within the limits need up to 2162688 /)
    assert.match(check?.hint ?? '', /kafka-configs --alter --topic stock --add-config max\.message\.bytes=2162688/)
  })

  test('kafka: a topic created by the shipper accepts the largest pair within the limits', async () => {
    const run = shipTo(configFor(broker, 'made'), { ringBytes: 8 * 1024 * 1024 })
    await run.put(1, { bodyBytes: 1_048_000 })
    await run.finish()
    assert.equal(run.counter('shipped'), 1)
  })

  test('doctor: each fault is reported with a hint', async () => {
    const passwordFile = join(broker.folder, 'bad-password')
    writeFileSync(passwordFile, 'wrong')
    const right = secured(broker, 'plain', passwordFile)
    const problems: [Parameters<typeof configFor>[2], string, RegExp][] = [
      [{ kafka: { brokers: ['127.0.0.1:1'] } }, 'Kafka broker 127.0.0.1:1', /ECONNREFUSED/],
      [{ kafka: { createTopic: false } }, 'Kafka topic', /does not exist/],
      [{ kafka: right }, 'Kafka authentication', /Authentication failed|Invalid/i],
      [{ kafka: { ...right, tls: { ...right.tls, caFile: '' } } }, 'Kafka TLS', /certificate|self.signed/i],
      [
        { kafka: { ...right, sasl: { ...right.sasl, passwordFile: '/none' } } },
        'Kafka settings',
        /passwordFile: cannot read \/none: no such file or directory/,
      ],
    ]
    for (const [overrides, name, found] of problems) {
      const checks = []
      for await (const check of kafkaChecks(configFor(broker, 'unmade', overrides))) checks.push(check)
      const last = checks.at(-1)
      assert.ok(last !== undefined && last.state === 'failed' && last.hint !== null, JSON.stringify(checks))
      assert.equal(last.name, name)
      assert.match(last.found, found)
    }
  })

  test('doctor: checks Kafka', async () => {
    const names = []
    for await (const check of allChecks(configFor(broker, 'examined'))) names.push(check.name)
    assert.ok(names.includes('Kafka cluster'))
  })

  test('kafka: time, id and key are right for ids and times at their limits', async () => {
    const run = shipTo(configFor(broker, 'edges'))
    await run.put(-BASE_MICROS)
    await run.finish()
    const [record] = readTopic(broker, 'edges')
    assert.equal(record.headers.get('ce_time'), '1970-01-01T00:00:00.000000Z')
  })
})

function secured(broker: KafkaBroker, mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', passwordFile: string) {
  return {
    brokers: [broker.saslSsl],
    tls: { enabled: true, caFile: broker.caFile, certFile: '', keyFile: '', serverName: '' },
    sasl: { ...defaultConfig().kafka.sasl, mechanism, username: KAFKA_USER, passwordFile },
  }
}

/** docs/pair.md, with the test's broker and topic. */
const recipesFor = (broker: KafkaBroker, topic: string): string =>
  readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'pair.md'), 'utf8')
    .replaceAll('kafka:9092', broker.plaintext)
    .replaceAll('interceptor.pairs', topic)

/** Ships pair 7 and writes the consumer in a language beside this file, where Node.js finds packages. @returns its path */
async function recipeFile(
  broker: KafkaBroker,
  t: TestContext,
  language: string,
  extension: string,
  format: 'msgpack' | 'json',
): Promise<string> {
  const topic = `recipe-${language}`
  await broker.createTopic(topic)
  const run = shipTo(configFor(broker, topic, { ship: { format } }))
  await run.put(7)
  await run.finish()
  const [, recipe] = recipesFor(broker, topic).match(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``)) ?? []
  assert.ok(recipe !== undefined, `docs/pair.md has no ${language}`)
  const path = join(import.meta.dirname, `${topic}-${process.pid}.${extension}`)
  t.after(() => rmSync(path, { force: true }))
  writeFileSync(path, recipe)
  return path
}

/** Runs a program, whose command line contains `path`, until its first line of output. */
async function firstLine(t: TestContext, path: string, program: string, args: readonly string[]): Promise<string> {
  const child = killAtExit(spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] }))
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  t.after(() => killChildren(path))
  await until('it prints a line', () => {
    assert.equal(child.exitCode, null, errors)
    return output.includes('\n')
  })
  return output.slice(0, output.indexOf('\n'))
}
