/** Partitions change their leaders among three brokers while pairs are shipped. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { reservePorts } from '../../rig/ports.ts'
import { assertOrderPerKey, configFor, readTopic, shipTo } from '../e2e/kafka-support.ts'
import { until } from '../ship/support.ts'

const TOPIC = 'led-in-turn'
/** Three ports for each broker. */
const PORT = await reservePorts(9)
const RECOVERY_MS = 60_000
/** The controller returns leadership to the preferred replica as soon as possible. */
const PROPERTIES = [
  'leader.imbalance.check.interval.seconds=1',
  'leader.imbalance.per.broker.percentage=0',
  'replica.lag.time.max.ms=5000',
]

suite('kafka: partitions with changing leaders', { skip: needsKafka() }, () => {
  const brokers: KafkaBroker[] = []
  before(async () => {
    const first = new KafkaBroker({ port: PORT, properties: PROPERTIES })
    brokers.push(first)
    for (const nodeId of [2, 3]) {
      const port = PORT + 3 * (nodeId - 1)
      brokers.push(new KafkaBroker({ port, properties: PROPERTIES, member: { of: first, nodeId } }))
    }
    await first.start()
    await Promise.all(brokers.slice(1).map((broker) => broker.start()))
    await first.createTopic(TOPIC, [], 3)
  })
  after(() => Promise.all(brokers.map((broker) => broker.remove())))

  /** The leaders as the first broker knows them. */
  const leaders = (): Promise<number[]> => brokers[0].leaders(TOPIC)

  test('leaders: shutdowns, crashes and restarts of three brokers lose no pair, and keep the order', async (t) => {
    const addresses = brokers.map(({ plaintext }) => plaintext)
    const config = configFor(brokers[0], TOPIC, { kafka: { brokers: addresses, acks: 'all' } })
    const run = shipTo(config, { whenFull: 'drop' })
    let going = true
    t.after(() => {
      going = false
    })
    const feeding = (async () => {
      let number = 0
      for (; going; number += 1) {
        await run.put(number, { connection: number % 16 })
        if (number % 5 === 0) run.flush()
        if (number % 5 === 0) await sleep(5)
      }
      run.flush()
      return number
    })()
    const shippingContinues = async (): Promise<number> => {
      const [before, since] = [run.counter('shipped'), performance.now()]
      // More than one batch of each partition.
      await until('shipping continues', () => run.counter('shipped') > before + 1_000, RECOVERY_MS)
      return Math.round(performance.now() - since)
    }
    await shippingContinues()
    const beforeAll = await leaders()
    assert.equal(new Set(beforeAll).size, 3, `leaders ${beforeAll}`)
    for (const [index, signal] of [
      [1, 'SIGTERM'],
      [2, 'SIGKILL'],
    ] as const) {
      const id = index + 1
      await brokers[index].stop(signal)
      await untilAsync('its partitions are led by others', async () => !(await leaders()).includes(id))
      t.diagnostic(`${signal}: 1,000 more pairs after ${await shippingContinues()} ms`)
      await brokers[index].start()
      // No broker ends here: only leadership moves back.
      await untilAsync('it leads again', async () => String(await leaders()) === String(beforeAll))
      t.diagnostic(`back: 1,000 more pairs after ${await shippingContinues()} ms`)
    }
    going = false
    const count = await feeding
    await until('the rest is shipped', () => run.counter('shipped') === count, RECOVERY_MS)
    await run.finish()
    assert.equal(run.dropped, 0)
    assertOrderPerKey(readTopic(brokers[0], TOPIC), count, true)
  })
})

async function untilAsync(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = performance.now() + RECOVERY_MS; !(await holds()); await sleep(200)) {
    assert.ok(performance.now() < end, `waited in vain until ${what}`)
  }
}
