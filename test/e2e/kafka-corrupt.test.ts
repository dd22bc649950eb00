/** A proxy in front of a real Kafka that damages what the broker answers. */
import assert from 'node:assert/strict'
import { connect, createServer, type Server } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaBroker, needsKafka } from '../../rig/kafka.ts'
import { until } from '../ship/support.ts'
import { configFor, shipTo } from './kafka-support.ts'

const PORT = 21290
const PROXY_PORT = PORT + 3

/** Changes a chunk from the broker; null: cuts the connection after half of it. */
type Damage = (chunk: Buffer) => Buffer | null

const DAMAGES: Record<string, Damage> = {
  'answers cut in the middle': () => null,
  'lengths below zero': (chunk) => Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xfb]), chunk.subarray(4)]),
  'lengths of 2 GB': (chunk) => Buffer.concat([Buffer.from([0x7f, 0xff, 0xff, 0xf0]), chunk.subarray(4)]),
  'other correlation ids': (chunk) => Buffer.concat([chunk.subarray(0, 4), Buffer.alloc(4, 0x7e), chunk.subarray(8)]),
  'random bytes': (chunk) =>
    Buffer.from(chunk.map((byte) => (Math.random() < 0.3 ? Math.floor(Math.random() * 256) : byte))),
}

suite('a broker that answers nonsense', { skip: needsKafka() }, () => {
  let broker: KafkaBroker
  let proxy: Server
  let damage: Damage = (chunk) => chunk
  before(async () => {
    const listeners = `PLAINTEXT://127.0.0.1:${PROXY_PORT},SASL_SSL://localhost:${PORT + 1}`
    broker = new KafkaBroker({ port: PORT, properties: [`advertised.listeners=${listeners}`] })
    proxy = createServer((client) => {
      const server = connect(PORT, '127.0.0.1')
      client.on('error', () => server.destroy()).on('close', () => server.destroy())
      server.on('error', () => client.destroy()).on('close', () => client.destroy())
      client.on('data', (chunk) => server.write(chunk))
      server.on('data', (chunk) => {
        const sent = damage(chunk)
        if (sent !== null) client.write(sent)
        else client.end(chunk.subarray(0, chunk.length >> 1))
      })
    }).listen(PROXY_PORT, '127.0.0.1')
    await broker.start()
  })
  after(async () => {
    proxy?.close()
    await broker?.remove()
  })

  for (const [what, harm] of Object.entries(DAMAGES)) {
    test(`kafka: ${what}: the shipper survives, loses nothing, and resumes within seconds`, async () => {
      const config = configFor(broker, what.replaceAll(' ', '-'), { kafka: { brokers: [`127.0.0.1:${PROXY_PORT}`] } })
      const run = shipTo(config, { whenFull: 'drop' })
      await run.put(0)
      run.flush()
      await until('the first pair is shipped', () => run.counter('shipped') === 1, 60_000)
      damage = harm
      for (let number = 1; number < 200; number += 1) {
        await run.put(number, { connection: number })
        run.flush()
        await sleep(15)
      }
      damage = (chunk) => chunk
      await until('the rest is shipped', () => run.counter('shipped') >= 200, 15_000)
      assert.equal((await run.finish()).t, 'done')
      assert.equal(run.dropped, 0)
    })
  }
})
