import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { defaultConfig } from '../../src/config/load.ts'
import { EMPTY, FULL, RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { kafkaSinkSpec, type StreamSinkSpec } from '../../src/ship/worker-data.ts'
import { COMMAND_DRAIN, COMMAND_STOP } from '../../src/thread/control.ts'
import { startShipper, until } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'ship-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

let files = 0
function toFile(overrides: Partial<StreamSinkSpec> = {}): StreamSinkSpec & { path: string } {
  files += 1
  const formatOptions = { decode: false, color: false, width: null, verbose: false, version: '0' }
  const path = join(folder, `out-${files}`)
  return { kind: 'stream', append: false, format: 'ndjson', formatOptions, ...overrides, path: overrides.path ?? path }
}

const lines = (path: string): { request: { target: string } }[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

test('shipper: writes every pair of every ring once, in the order of its ring', async () => {
  const sink = toFile()
  const run = startShipper({ sink, rings: 3, ringBytes: 64 * 1024 })
  for (let number = 0; number < 3000; number += 1) await run.put(number, {}, number % 3)
  const last = await run.finish()
  assert.equal(last.t, 'done')
  assert.equal(run.counter('shipped'), 3000)
  const numbers = lines(sink.path).map((pair) => Number(pair.request.target.slice('/orders/'.length)))
  for (const slot of [0, 1, 2]) {
    const ofRing = numbers.filter((number) => number % 3 === slot)
    assert.deepEqual(
      ofRing,
      Array.from({ length: 1000 }, (_, index) => index * 3 + slot),
    )
  }
})

test('shipper: reports a working output as reachable, and no pair waits', async () => {
  const run = startShipper({ sink: toFile() })
  assert.equal(run.status.reachable, null, 'not tried yet')
  await run.put(1)
  run.flush()
  await until('the pair is shipped', () => run.counter('shipped') === 1)
  await until('it is reported', () => run.status.reachable === true)
  assert.deepEqual([run.status.bytes, run.status.oldestMs], [0, 0])
  await run.finish()
})

test('shipper: reports an unreachable broker, and the age of waiting pairs grows', async () => {
  const { kafka, ...rest } = defaultConfig()
  const sink = kafkaSinkSpec({ ...rest, kafka: { ...kafka, brokers: ['127.0.0.1:1'] } }, 'n1')
  const run = startShipper({ sink, whenFull: 'drop', shutdownTimeoutMs: 100 })
  await run.put(1)
  run.flush()
  await until('it was tried', () => run.status.reachable === false)
  await until('the pair waits', () => run.status.bytes > 0 && run.status.oldestMs > 0)
  const before = run.status.oldestMs
  await until('it grows older', () => run.status.oldestMs > before)
  await run.finish()
  assert.deepEqual([run.status.bytes, run.status.oldestMs], [0, 0])
})

test('shipper: writes pairs larger than a block whole', async () => {
  const sink = toFile({ format: 'msgpack' })
  const run = startShipper({ sink, ringBytes: 8 * 1024 * 1024 })
  const sizes = [10, 300_000, 20, 1_100_000, 2_000_000, 30, 250_000]
  for (const [number, bodyBytes] of sizes.entries()) await run.put(number, { bodyBytes })
  await run.finish()
  assert.equal(run.counter('shipped'), sizes.length)
  const written = readFileSync(sink.path)
  assert.equal(run.counter('bytesShipped'), written.length)
})

test('shipper: a full ring whose pairs an earlier shipper took, and did not release, has room again', async () => {
  const leave = (ring: SharedArrayBuffer): void => {
    const producer = new RingProducer(ring, new Doorbell(Doorbell.allocate()))
    while (producer.tryClaim(1024) !== FULL) producer.commit()
    producer.flush()
    const consumer = new RingConsumer(ring, null)
    while (consumer.next() !== EMPTY) consumer.take(new Float64Array(1), 0)
  }
  const sink = toFile()
  const run = startShipper({ sink, ringBytes: 64 * 1024, leave })
  await run.ready
  await run.put(1)
  await run.finish()
  assert.deepEqual([run.counter('shipped'), lines(sink.path).length], [1, 1])
})

test('shipper: writes pairs without waiting for more', async () => {
  const sink = toFile()
  const run = startShipper({ sink })
  await run.put(1)
  run.flush()
  await until('the pair is shipped', () => run.counter('shipped') === 1)
  assert.equal(lines(sink.path).length, 1)
  assert.equal(run.counter('queued'), 0)
  await run.finish()
})

test('shipper: -c N writes exactly N pairs, reports it, and counts the rest as dropped', async () => {
  const sink = toFile()
  const run = startShipper({ sink, limit: 7 })
  for (let number = 0; number < 20; number += 1) await run.put(number)
  run.flush()
  await until('enough', () => run.messages.some(({ t }) => t === 'outputEnded'))
  for (let number = 20; number < 30; number += 1) await run.put(number)
  await run.finish()
  assert.equal(lines(sink.path).length, 7)
  assert.equal(run.counter('droppedShutdown'), 23)
})

test('shipper: a JSON array without pairs is complete', async () => {
  const sink = toFile({ format: 'json' })
  const run = startShipper({ sink })
  await run.finish()
  const text = readFileSync(sink.path, 'utf8')
  assert.doesNotThrow(() => text === '' || JSON.parse(text))
})

test('shipper: an output that cannot be opened is reported by name', async () => {
  const run = startShipper({ sink: toFile({ path: join(folder, 'no', 'such', 'folder') }) })
  run.closeRings()
  await until('it failed', () => run.messages.length > 0)
  assert.deepEqual(run.messages[0].t, 'failed')
  assert.match(JSON.stringify(run.messages[0]), /cannot write [^:]*no\/such\/folder: no such file or directory/)
})

test('shipper: a full disk ends the run with the error, and the ledger holds', async (context) => {
  if (process.platform !== 'linux') return context.skip('needs /dev/full')
  const run = startShipper({ sink: toFile({ path: '/dev/full' }) })
  for (let number = 0; number < 100; number += 1) await run.put(number)
  const last = await run.finish()
  assert.equal(last.t, 'failed')
  assert.match(JSON.stringify(last), /cannot write the output: no space left on device/)
  assert.equal(run.counter('shipped'), 0)
})

test('shipper: `append` adds to a file, otherwise its content is replaced', async () => {
  for (const append of [true, false]) {
    const sink = toFile({ append })
    writeFileSync(sink.path, '{"request":{"target":"/old"}}\n')
    const run = startShipper({ sink })
    await run.put(1)
    await run.finish()
    assert.equal(lines(sink.path).length, append ? 2 : 1)
  }
})

test('shipper: reads pairs until the rings close while it drains', async () => {
  const run = startShipper({ sink: { kind: 'none' } })
  await run.put(1)
  run.flush()
  run.command(COMMAND_DRAIN)
  for (let number = 2; number < 50; number += 1) await run.put(number)
  await run.finish()
  assert.equal(run.counter('shipped'), 49)
})

test('shipper: a stop ends the run while a ring is still open, and counts the remaining pairs', async () => {
  const run = startShipper({ sink: { kind: 'none' } })
  await run.ready
  run.command(COMMAND_STOP)
  await run.put(1)
  run.flush()
  await until('done', () => run.messages.some((message) => message.t === 'done'))
  run.assertLedger()
})

test('shipper: drops, counts and logs a pair that cannot be formatted', async () => {
  const sink = toFile()
  const run = startShipper({ sink })
  await run.put(1)
  await run.putBytes(Uint8Array.of(0xc1, 0xff), 0)
  await run.put(2)
  await run.finish()
  assert.equal(lines(sink.path).length, 2)
  assert.equal(run.counter('droppedRejected'), 1)
  assert.match(run.logs.join(), /cannot be formatted/)
})
