import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { KAFKA_PASSWORD, KAFKA_USER, KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { reservePorts } from '../../rig/ports.ts'
import { EXIT_RUNTIME } from '../../src/errors.ts'
import type { UiState } from '../../src/ui/protocol.ts'
import { CAPTURE, finish, run, start } from './support.ts'

const skip = needsKafka()
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')
const CREATE = ['--set', 'kafka.createTopic=true']

describe('kafka: the command line with a real broker', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'interceptor-kafka-'))
  const config = join(folder, 'agent.yaml')
  let broker: KafkaBroker
  let printed: string[]

  before(async () => {
    broker = new KafkaBroker({ port: await reservePorts(3) })
    await broker.start()
    writeFileSync(join(folder, 'password'), `${KAFKA_PASSWORD}\n`)
    writeFileSync(
      config,
      `kafka:
  brokers: [${broker.saslSsl}]
  topic: secured
  createTopic: true
  tls: { enabled: true, caFile: ${broker.caFile} }
  sasl: { mechanism: scram-sha-512, username: ${KAFKA_USER}, passwordFile: ${join(folder, 'password')} }
`,
    )
    printed = lines((await run(['read', '-o', 'ndjson', CAPTURE])).stdout).sort()
  })

  after(async () => {
    await broker.remove()
    rmSync(folder, { recursive: true })
  })

  for (const format of ['msgpack', 'json']) {
    test(`read: ships the same pairs that it prints, and tail prints them: ${format}`, async () => {
      const to = ['--brokers', broker.plaintext, '--topic', `pairs.${format}`]
      const shipped = await run(['read', ...to, '--format', format, ...CREATE, CAPTURE])
      assert.deepEqual([shipped.code, shipped.stdout], [0, ''])
      assert.match(shipped.stderr, new RegExp(`^created the topic .*\\n${printed.length} pairs shipped to Kafka; `))
      const tail = await run(['tail', ...to, '--from', 'beginning', '--no-follow', '-o', 'ndjson'])
      assert.deepEqual([tail.code, tail.stderr], [0, ''])
      assert.deepEqual(lines(tail.stdout).sort(), printed)
    })
  }

  test('read: exits with 1 if the broker rejects the pairs', async () => {
    await broker.createTopic('compacted', ['cleanup.policy=compact'])
    const to = ['--brokers', broker.plaintext, '--topic', 'compacted', '--set', 'kafka.partitionBy=round-robin']
    const { code, stderr } = await run(['read', ...to, CAPTURE])
    assert.equal(code, EXIT_RUNTIME)
    assert.match(stderr, new RegExp(`^interceptor: the output rejected ${printed.length} pairs$`, 'm'))
  })

  test('ui: shows the pairs of a topic of a real broker', async (t) => {
    const topic = ['--brokers', broker.plaintext, '--topic', 'pairs.json', '--from', 'beginning', '--no-follow']
    const child = start(['ui', ...topic, '--listen', '127.0.0.1:0'])
    t.after(() => child.kill('SIGKILL'))
    const [line] = (await once(child.stdout!, 'data')) as [Buffer]
    const [base = '', token = ''] = line.toString().trim().split('/#token=')
    let state: UiState
    do {
      const response = await fetch(`${base}/api/state`, { headers: { authorization: `Bearer ${token}` } })
      state = (await response.json()) as UiState
    } while (!state.ended)
    assert.deepEqual([state.seen, state.foreign, state.failure], [printed.length, 0, null])
  })

  test('read and tail: use TLS and SCRAM of a configuration file', async () => {
    const shipped = await run(['read', '--config', config, CAPTURE])
    assert.equal(shipped.code, 0, shipped.stderr)
    const tail = await run(['tail', '--config', config, '--from', 'beginning', '-c', '3'])
    assert.deepEqual([tail.code, lines(tail.stdout).length], [0, 3])
  })

  test('tail: follows until SIGINT', async () => {
    const child = start(['tail', '--config', config, '--from', '1h', '-o', 'ndjson'])
    const ended = finish(child)
    let seen = ''
    child.stdout!.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
      if (lines(seen).length >= printed.length) child.kill('SIGINT')
    })
    const { code, stdout, stderr } = await ended
    assert.deepEqual([code, lines(stdout).sort()], [0, printed])
    assert.match(stderr, /^waiting for pairs in the topic secured at .*; press Ctrl-C to stop\n$/)
  })

  test('tail: reports at once that it is waiting, and ends on SIGHUP', async () => {
    const child = start(['tail', '--config', config, '-o', 'json'])
    const ended = finish(child)
    child.stderr!.once('data', () => child.kill('SIGHUP'))
    const { code, stdout, stderr } = await ended
    assert.deepEqual([code, stdout], [0, '[\n]\n'])
    assert.match(stderr, /^waiting for pairs /)
  })

  test('doctor: checks the cluster', async () => {
    const { stdout } = await run(['doctor', '--config', config])
    assert.match(stdout, /\n✓ Kafka broker localhost:\d+: accepts connections\n/)
    assert.doesNotMatch(stdout, /✗ Kafka/)
  })

  test('tail: exits with 1 for a topic that does not exist and names it', async () => {
    const { code, stderr } = await run(['tail', '--brokers', broker.plaintext, '--topic', 'none', '--no-follow'])
    assert.equal(code, EXIT_RUNTIME)
    assert.match(stderr, /^interceptor: there is no topic none at 127\.0\.0\.1:\d+/)
  })
})
