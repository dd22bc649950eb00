import assert from 'node:assert/strict'
import { once } from 'node:events'
import { openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import * as zlib from 'node:zlib'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { reservePorts } from '../../rig/ports.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { EXIT_USAGE, InterceptorError } from '../../src/errors.ts'
import { createFormat } from '../../src/format/create-format.ts'
import { createLogger } from '../../src/log/logger.ts'
import { FdOutput } from '../../src/output/fd-output.ts'
import { pairToJson } from '../../src/pair/to-json.ts'
import { PairSelector } from '../../src/select/selector.ts'
import type { Printed } from '../../src/tail/printer.ts'
import { type TailOptions, tail } from '../../src/tail/tail.ts'
import type { UiState } from '../../src/ui/protocol.ts'
import { run, start } from '../cli/support.ts'
import { samplePair } from '../pair/samples.ts'
import { makePair, until } from '../ship/support.ts'
import { configFor, type Overrides, shipTo } from './kafka-support.ts'

const FORMAT_OPTIONS = { decode: true, color: false, width: null, verbose: false, version: '0' }
const hasZstd = 'zstdCompress' in zlib

const BEGINNING: TailOptions['range'] = { from: 'beginning', partitions: null, offset: null, group: null }

suite('tail: reading from a real broker', { skip: needsKafka() }, () => {
  let broker: KafkaBroker
  let outputs = 0
  const logged: string[] = []
  const log = createLogger({ level: 'debug', form: 'lines', write: (line) => void logged.push(line) })
  before(async () => {
    broker = new KafkaBroker({ port: await reservePorts(3) })
    await broker.start()
  })
  after(() => broker?.remove())

  async function ship(topic: string, from: number, to: number, overrides: Overrides = {}): Promise<void> {
    const run = shipTo(configFor(broker, topic, overrides))
    for (let number = from; number < to; number += 1) await run.put(number, { connection: number % 9, bodyBytes: 200 })
    await run.finish()
    assert.equal(run.counter('shipped'), to - from)
  }

  /** Runs a tail that writes to a file. @returns the running tail, and what it has written so far */
  function startTail(topic: string, options: Partial<TailOptions> = {}) {
    outputs += 1
    const path = join(broker.folder, `tail-${outputs}`)
    const abort = new AbortController()
    const output = new FdOutput(openSync(path, 'w'))
    const done: Promise<Printed> = tail({
      selector: null,
      kafka: configFor(broker, topic).kafka,
      range: BEGINNING,
      follow: false,
      limit: null,
      format: createFormat('ndjson', FORMAT_OPTIONS),
      output,
      log,
      signal: abort.signal,
      onWait: () => {},
      ...options,
    }).finally(() => output.close())
    const text = (): string => readFileSync(path, 'utf8')
    const numbers = (): number[] =>
      text()
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => Number.parseInt((JSON.parse(line) as { id: string }).id, 16))
    return { done, text, numbers, abort }
  }

  const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index)
  const sorted = (numbers: number[]): number[] => [...numbers].sort((a, b) => a - b)

  for (const compression of ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const skip = compression === 'zstd' && !hasZstd ? 'zstd comes with Node.js 22.15' : false
    test(`tail: reads a ${compression} topic from the beginning and ends`, { skip }, async () => {
      const topic = `all-${compression}`
      await ship(topic, 0, 1500, { kafka: { compression } })
      const { done, numbers } = startTail(topic)
      assert.deepEqual(await done, { pairs: 1500, foreign: 0 })
      assert.deepEqual(sorted(numbers()), range(0, 1500))
    })
  }

  test('tail: reads a partition that is larger than one response, whose last batch is cut', async () => {
    const run = shipTo(configFor(broker, 'large'))
    for (let number = 0; number < 60; number += 1) await run.put(number, { connection: 1, bodyBytes: 50_000 })
    await run.finish()
    const { done, numbers } = startTail('large')
    assert.deepEqual(await done, { pairs: 60, foreign: 0 })
    assert.deepEqual(numbers(), range(0, 60))
  })

  test('tail: reads JSON and MessagePack values in one topic', async () => {
    await ship('both', 0, 10)
    await ship('both', 10, 20, { ship: { format: 'json' } })
    const { done, numbers } = startTail('both')
    await done
    assert.deepEqual(sorted(numbers()), range(0, 20))
  })

  test('tail: reads some partitions from an offset', async () => {
    await broker.createTopic('parts')
    await ship('parts', 0, 300)
    const count = async (part: Partial<TailOptions['range']>): Promise<number> =>
      (await startTail('parts', { range: { ...BEGINNING, ...part } }).done).pairs
    const odd = await count({ partitions: [1, 3] })
    assert.ok(odd > 0)
    assert.equal(odd + (await count({ partitions: [0, 2] })), 300)
    const all = await Promise.all([0, 1, 2, 3].map((partition) => count({ partitions: [partition] })))
    const after = all.reduce((sum, pairs) => sum + Math.max(0, pairs - 10), 0)
    assert.equal(await count({ offset: 10 }), after)
    assert.equal(await count({ offset: 1_000_000 }), 0)
    await assert.rejects(count({ partitions: [4] }), /--partition 4: the topic has the partitions 0 to 3/)
  })

  test('tail: prints only pairs that are selected, in both forms', async () => {
    await ship('selected', 0, 10)
    await ship('selected', 10, 20, { ship: { format: 'json' } })
    const selector = await PairSelector.create({ grep: [], where: `id == "${'0'.repeat(31)}5" || id.endsWith("f")` })
    const { done, numbers } = startTail('selected', { selector })
    assert.deepEqual(await done, { pairs: 2, foreign: 0 })
    assert.deepEqual(sorted(numbers()), [5, 15])
  })

  test('tail: prints exactly the limit, and a complete document', async () => {
    await ship('limit', 0, 50)
    const { done, text } = startTail('limit', { limit: 7, follow: true, format: createFormat('json', FORMAT_OPTIONS) })
    assert.equal((await done).pairs, 7)
    assert.equal((JSON.parse(text()) as unknown[]).length, 7)
  })

  test('tail: skips and counts records that are not pairs', async () => {
    await ship('mixed', 0, 3)
    broker.kcat(['-P', '-t', 'mixed'], { input: 'hello\n{"v":1}\n' })
    broker.kcat(['-P', '-t', 'mixed', '-H', 'content-type=application/avro'], { input: 'x\n' })
    broker.kcat(['-P', '-t', 'mixed', '-Z', '-K', ':'], { input: 'key:\n' })
    const { done, numbers } = startTail('mixed')
    assert.deepEqual(await done, { pairs: 3, foreign: 4 })
    assert.deepEqual(sorted(numbers()), range(0, 3))
  })

  test('openapi and ui: skip and count records that are not pairs', async (t) => {
    await ship('damaged', 0, 3)
    const pair = pairToJson(samplePair()).replace('"status":200', '"status":"<script>"')
    broker.kcat(['-P', '-t', 'damaged'], { input: `hello\n${pair}\n` })
    const source = ['--brokers', broker.plaintext, '--topic', 'damaged', '--from', 'beginning', '--no-follow']
    const document = await run(['openapi', ...source])
    assert.match(document.stderr, /3 pairs; 2 records skipped because they are not pairs/)
    assert.match(document.stdout, /from 3 captured exchanges/)
    const child = start(['ui', ...source, '--listen', '127.0.0.1:0'])
    t.after(() => child.kill('SIGKILL'))
    const [line] = (await once(child.stdout!, 'data')) as [Buffer]
    const [base = '', token = ''] = line.toString().trim().split('/#token=')
    const state = async (): Promise<UiState> =>
      (await (await fetch(`${base}/api/state`, { headers: { authorization: `Bearer ${token}` } })).json()) as UiState
    let seen = await state()
    for (; !seen.ended; seen = await state()) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.deepEqual([seen.seen, seen.foreign, seen.failure], [3, 2, null])
  })

  test('tail: from the end, prints only new pairs until aborted', async () => {
    await ship('following', 0, 20)
    const fromEnd = { ...BEGINNING, from: 'end' } as const
    let onWait: () => void = () => {}
    const waits = new Promise<void>((resolve) => {
      onWait = resolve
    })
    const { done, numbers, abort } = startTail('following', { range: fromEnd, follow: true, onWait })
    await waits
    await ship('following', 100, 120)
    await until('they are printed', () => numbers().length === 20)
    abort.abort()
    assert.equal((await done).pairs, 20)
    assert.deepEqual(sorted(numbers()), range(100, 120))
  })

  test('tail: from a time, prints pairs shipped since then', async () => {
    await ship('timed', 0, 20)
    await new Promise((resolve) => setTimeout(resolve, 50))
    const from = Date.now()
    await ship('timed', 20, 30)
    const { done, numbers } = startTail('timed', { range: { ...BEGINNING, from } })
    await done
    assert.deepEqual(sorted(numbers()), range(20, 30))
  })

  test('tail: leaves no consumer group and no offsets', async () => {
    const groups = await broker.listGroups()
    assert.deepEqual(groups, [])
  })

  test('tail: a consumer group continues after the last printed pair, in each partition', async () => {
    await broker.createTopic('grouped')
    await ship('grouped', 0, 300)
    const grouped = { ...BEGINNING, group: 'readers' }
    const first = startTail('grouped', { range: grouped, limit: 100 })
    assert.equal((await first.done).pairs, 100)
    const rest = startTail('grouped', { range: { ...grouped, from: 'end' } })
    assert.equal((await rest.done).pairs, 200)
    assert.deepEqual(sorted([...first.numbers(), ...rest.numbers()]), range(0, 300))
    await ship('grouped', 300, 310)
    const following = startTail('grouped', { range: grouped, follow: true })
    await until('the new pairs are printed', () => following.numbers().length === 10)
    following.abort.abort()
    await following.done
    assert.equal((await startTail('grouped', { range: grouped }).done).pairs, 0, 'committed when it was interrupted')
    assert.equal((await startTail('grouped', { range: { ...grouped, group: 'others' } }).done).pairs, 310)
  })

  test('tail: reports a consumer group with members as an error', async () => {
    await ship('taken', 0, 5)
    const leave = await broker.joinGroup('taken', 'taken')
    try {
      await assert.rejects(
        startTail('taken', { range: { ...BEGINNING, group: 'taken' } }).done,
        /the consumer group taken has members, which commit its offsets/,
      )
    } finally {
      await leave()
    }
  })

  test('tail: continues after a broker restart, and repeats nothing', async () => {
    await ship('resumed', 0, 20)
    const { done, numbers, abort } = startTail('resumed', { follow: true })
    await until('the first are printed', () => numbers().length === 20)
    await broker.stop()
    await until('it is reported', () => logged.some((line) => /cannot read from Kafka, retrying/.test(line)))
    await broker.start()
    await ship('resumed', 20, 40)
    await until('the rest is printed', () => numbers().length === 40, 60_000)
    abort.abort()
    await done
    assert.deepEqual(sorted(numbers()), range(0, 40))
  })

  test('tail: reports a missing topic and an unreachable broker', async () => {
    await assert.rejects(
      startTail('none-such').done,
      (error: unknown) => error instanceof InterceptorError && /there is no topic none-such at 127/.test(error.message),
    )
    const kafka = configFor(broker, 'x', { kafka: { brokers: ['127.0.0.1:1'] } }).kafka
    await assert.rejects(
      startTail('x', { kafka }).done,
      (error: unknown) =>
        error instanceof InterceptorError && /cannot read the topic x.*ECONNREFUSED/.test(error.message),
    )
  })

  test('tail: decodes bodies as the format requires', async () => {
    const run = shipTo(configFor(broker, 'encoded'))
    const body = zlib.gzipSync('{"hidden":true}')
    const pair = makePair(1)
    pair.response.headers.push(['Content-Encoding', 'gzip'])
    pair.response.body = new Uint8Array(body)
    pair.response.bodySize = body.length
    await run.putPair(pair)
    await run.finish()
    const { done, text } = startTail('encoded')
    await done
    const { response } = JSON.parse(text()) as { response: { body: string; decoded: boolean } }
    assert.deepEqual([response.body, response.decoded], ['{"hidden":true}', true])
  })

  test('tail: a password that cannot be read is a usage error', async () => {
    const passwordFile = join(broker.folder, 'gone')
    writeFileSync(passwordFile, 'x')
    rmSync(passwordFile)
    const sasl = { ...defaultConfig().kafka.sasl, mechanism: 'plain' as const, username: 'u', passwordFile }
    const kafka = configFor(broker, 'x', { kafka: { sasl } }).kafka
    await assert.rejects(
      startTail('x', { kafka }).done,
      (error: unknown) => error instanceof InterceptorError && error.exitCode === EXIT_USAGE,
    )
  })
})
