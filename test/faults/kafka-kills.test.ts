/** A broker that is killed again and again, or stopped for half a minute, and a program that is stopped for longer. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { temporaryFolder } from '../../rig/at-exit.ts'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { needs } from '../../rig/needs.ts'
import { reservePorts } from '../../rig/ports.ts'
import { count, type Ledger } from '../../src/ledger/ledger.ts'
import { unpackPair } from '../../src/pair/unpack.ts'
import { finish, start } from '../cli/support.ts'
import {
  assertOrderPerKey,
  configFor,
  keepPutting,
  pairNumber,
  RECOVERY_MS,
  type Record,
  readTopic,
  shipTo,
} from '../e2e/kafka-support.ts'
import { type ShipperRun, until } from '../ship/support.ts'
import { assertLaws } from '../support/ledger.ts'

const KILLS = 10
const STOPPED_MS = 30_000
/** Longer than every time limit of a request. */
const PROGRAM_STOPPED_MS = 42_000

const flow = (run: ShipperRun): (() => Promise<number>) =>
  keepPutting(run, { burst: 5, pauseMs: 10, connections: 8, bodyBytes: 300 })

/** How many records repeat an earlier one. */
const repeated = (records: readonly Record[]): number => records.length - new Set(records.map(pairNumber)).size

suite('kafka: a broker that ends or stops without a word', { skip: needsKafka() }, () => {
  let broker: KafkaBroker
  before(async () => {
    broker = new KafkaBroker({ port: await reservePorts(3) })
    await broker.start()
  })
  after(() => broker?.remove())

  test('kafka: ten crashes in a row lose no pair, keep the order, and repeat at most the batches in flight', {
    timeout: 400_000,
  }, async (t) => {
    const run = shipTo(configFor(broker, 'killed', { kafka: { acks: 'all' } }), { whenFull: 'drop' })
    const stop = flow(run)
    for (let kill = 0; kill < KILLS; kill += 1) {
      const shipped = run.counter('shipped')
      await until(`pairs are shipped after ${kill} kills`, () => run.counter('shipped') > shipped + 300, RECOVERY_MS)
      await broker.stop('SIGKILL')
      await broker.start()
    }
    const put = await stop()
    await until('the rest is shipped', () => run.counter('shipped') + run.dropped === put, RECOVERY_MS)
    await run.finish()
    assert.equal(run.dropped, 0)
    const records = readTopic(broker, 'killed')
    t.diagnostic(`${put} pairs, ${repeated(records)} of them twice`)
    assertOrderPerKey(records, put, true)
    // Of each of the topic's four partitions one batch may be in flight, of what arrives in two seconds at most.
    assert.ok(repeated(records) <= KILLS * 1_000, `${repeated(records)} repeated`)
  })

  test('kafka: a broker that is stopped for 30 s loses no pair, and each is counted once', {
    timeout: 300_000,
  }, async (t) => {
    const run = shipTo(configFor(broker, 'stopped', { kafka: { acks: 'all' } }), { whenFull: 'drop' })
    const stop = flow(run)
    await until('pairs are shipped', () => run.counter('shipped') > 300)
    broker.signal('SIGSTOP')
    await sleep(STOPPED_MS)
    broker.signal('SIGCONT')
    const put = await stop()
    await until('the rest is shipped', () => run.counter('shipped') + run.dropped === put, RECOVERY_MS)
    await run.finish()
    assert.equal(run.dropped, 0)
    const records = readTopic(broker, 'stopped')
    t.diagnostic(`${put} pairs, ${repeated(records)} of them twice; ${run.logs.join('; ')}`)
    assertOrderPerKey(records, put, true)
  })

  test('kafka: a program that is stopped for 42 s under traffic replaces no thread, sends no pair twice, and its ledger is exact', {
    skip: needs('root', 'libpcap'),
    timeout: 200_000,
  }, async (t) => {
    const folder = temporaryFolder('stopped-')
    t.after(() => rmSync(folder, { recursive: true }))
    const summary = join(folder, 'summary.json')
    const server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ target: request.url }))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const { port } = server.address() as AddressInfo
    const ask = (target: string): Promise<void> =>
      new Promise((resolve, reject) => {
        get({ port, path: target, agent: false }, (response) => response.resume().on('end', resolve)).on(
          'error',
          reject,
        )
      })
    await broker.createTopic('paused')
    const to = ['--brokers', broker.plaintext, '--topic', 'paused']
    const child = start(
      ['capture', '-i', 'lo', '--source', 'af-packet', ...to, '--summary', summary, 'tcp', 'port', String(port)],
      {
        env: { INTERCEPTOR_CAPTURE_RING_BYTES: '64MiB' },
      },
    )
    const ended = finish(child)
    let asked = 0
    let going = true
    const asking = (async () => {
      for (; going; asked += 1) {
        await ask(`/${asked}`)
        await sleep(5)
      }
    })()
    t.after(() => {
      going = false
    })
    await until('the first pair arrives', () => readTopic(broker, 'paused').length > 0, RECOVERY_MS)
    // So that a request is in flight when the program stops.
    broker.signal('SIGSTOP')
    await sleep(1_000)
    child.kill('SIGSTOP')
    broker.signal('SIGCONT')
    const before = asked
    await sleep(PROGRAM_STOPPED_MS)
    child.kill('SIGCONT')
    const during = asked
    await until('traffic goes on', () => asked > during + 200)
    going = false
    await asking
    await sleep(1_000)
    child.kill('SIGTERM')
    const { code, stderr } = await ended
    t.diagnostic(stderr)
    assert.equal(code, 0, stderr)
    const ledger = JSON.parse(readFileSync(summary, 'utf8')) as Ledger
    assertLaws(ledger)
    const targets = readTopic(broker, 'paused').map(({ value }) => {
      const pair = unpackPair(value)
      if (pair instanceof Error) throw pair
      return pair.request.target
    })
    const found = new Set(targets)
    const missed = Array.from({ length: asked - before }, (_, i) => `/${before + i}`).filter(
      (target) => !found.has(target),
    )
    assert.deepEqual([missed.length, targets.length, count(ledger, 'pairs.shipped')], [0, found.size, found.size])
    assert.ok(during - before > 1_000, `${during - before} requests during the pause`)
    assert.match(stderr, /^warning: this process did not run for 4\d s: it was stopped, or had no CPU/m)
    assert.doesNotMatch(stderr, /restarted|heartbeat/)
  })
})
