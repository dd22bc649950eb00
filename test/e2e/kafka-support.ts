/** Shared by the Kafka end-to-end tests: configuration, shipping a number of pairs, and reading a topic with kcat. */
import assert from 'node:assert/strict'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaBroker } from '../../rig/kafka.ts'
import { defaultConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/schema.ts'
import { unpackPair } from '../../src/pair/unpack.ts'
import { kafkaSinkSpec } from '../../src/ship/worker-data.ts'
import { type ShipperOptions, type ShipperRun, startShipper } from '../ship/support.ts'

/** Kafka needs some ten seconds to recover from a crash, and a request may have to time out first. */
export const RECOVERY_MS = 60_000

export interface Overrides {
  kafka?: Partial<Config['kafka']>
  ship?: Partial<Config['ship']>
}

/** A configuration for the broker's plaintext listener and a topic that may be created. */
export function configFor(broker: KafkaBroker, topic: string, { kafka, ship }: Overrides = {}): Config {
  const config = defaultConfig()
  Object.assign(config.kafka, { brokers: [broker.plaintext], topic, createTopic: true }, kafka)
  Object.assign(config.ship, ship)
  return config
}

/** A real shipper thread with the Kafka sink. */
export function shipTo(config: Config, options: Partial<ShipperOptions> = {}): ShipperRun {
  const { bufferBytes, maxAge } = config.ship
  return startShipper({ sink: kafkaSinkSpec(config, 'node-1'), bufferBytes, maxAgeMs: maxAge, ...options })
}

/** The pace of `keepPutting`: `burst` pairs, alternating between `connections` connections, then a pause. */
export interface Pace {
  burst: number
  pauseMs: number
  connections: number
  bodyBytes: number
}

/**
 * Produces pairs until stopped, at the latest at the end of the test. @returns a function that stops it and returns
 * their number
 */
export function keepPutting(run: ShipperRun, { burst, pauseMs, connections, bodyBytes }: Pace): () => Promise<number> {
  let going = true
  const running = (async () => {
    let number = 0
    while (going) {
      for (let left = burst; left > 0; left -= 1, number += 1) {
        await run.put(number, { connection: number % connections, bodyBytes })
      }
      run.flush()
      await sleep(pauseMs)
    }
    return number
  })()
  const stop = (): Promise<number> => {
    going = false
    return running
  }
  after(stop)
  return stop
}

/** One record as kcat prints it; librdkafka checks its checksums. */
export interface Record {
  partition: number
  offset: number
  key: string
  headers: Map<string, string>
  value: Buffer
}

/** Everything in a topic, read by kcat with its checksums checked. */
export function readTopic(broker: KafkaBroker, topic: string): Record[] {
  const args = ['-C', '-e', '-q', '-t', topic, '-o', 'beginning', '-X', 'check.crcs=true', '-X', 'fetch.wait.max.ms=20']
  const output = Buffer.from(broker.kcat([...args, '-f', '%p %o %k %S %h\n%s\n'], { encoding: 'latin1' }), 'latin1')
  const records: Record[] = []
  for (let at = 0; at < output.length; ) {
    const start = output.indexOf(0x0a, at) + 1
    const [partition, offset, key, size, headers = ''] = output.toString('latin1', at, start - 1).split(' ')
    at = start + Number(size) + 1
    records.push({
      partition: Number(partition),
      offset: Number(offset),
      key,
      headers: new Map(headers.split(',').map((header) => header.split(/=(.*)/s).slice(0, 2) as [string, string])),
      value: output.subarray(start, at - 1),
    })
  }
  return records
}

/** The number of a test's pair. */
export function pairNumber({ value }: Record): number {
  const pair = unpackPair(value)
  if (pair instanceof Error) throw pair
  return Number.parseInt(pair.id, 16)
}

/**
 * Asserts that numbers increase for each key, and that there are `count` different ones (with `again`: at least).
 *
 * @param again records may have been sent twice: repetitions are ignored
 */
export function assertOrderPerKey(records: readonly Record[], count: number, again = false): void {
  const seen = new Set<number>()
  const last = new Map<string, number>()
  for (const record of records) {
    const number = pairNumber(record)
    if (again && seen.has(number)) continue
    seen.add(number)
    assert.ok(number > (last.get(record.key) ?? -1), `pair ${number} of ${record.key} is out of order`)
    last.set(record.key, number)
  }
  // When the broker was killed, it may have accepted batches in flight without responding.
  if (again) assert.ok(seen.size >= count, `${seen.size} of ${count}`)
  else assert.equal(records.length, count)
}
