/** The doctor's look at Kafka: each broker, then the cluster as the shipper connects to it, the topic, and writing to it. */
import { connect } from 'node:net'
import type { Config } from '../config/schema.ts'
import { errorText, hintOf } from '../errors.ts'
import { clientFor } from '../kafka/client.ts'
import { CORRUPT_MESSAGE, INVALID_RECORD, troubleOf, troubleOfCode, troubleText } from '../kafka/errors.ts'
import { type Client, KafkaWire } from '../kafka/kafkajs-wire.ts'
import { RecordBatch } from '../kafka/record-batch.ts'
import { type Check, failed, ok, skipped, warning } from './check.ts'

const CONNECT_MS = 3_000
const ANSWER_MS = 10_000

/** Each check as soon as it is done. One that depends on a failed one is not made. Never throws. */
export async function* kafkaChecks(config: Config): AsyncGenerator<Check> {
  const { brokers } = config.kafka
  if (brokers.length === 0) {
    yield skipped('Kafka', 'no broker is configured (kafka.brokers, --brokers)')
    return
  }
  const reached = await Promise.all(brokers.map(brokerCheck))
  yield* reached
  if (reached.every(({ state }) => state !== 'ok')) return
  let client: Client
  try {
    client = clientFor(config.kafka, () => {})
  } catch (error) {
    yield failed('Kafka settings', errorText(error), hintOf(error) ?? 'correct the configuration')
    return
  }
  try {
    yield* clusterChecks(config, new KafkaWire(client, config.kafka.clientId, config.kafka.topic, ANSWER_MS))
  } finally {
    client.close()
  }
}

function brokerCheck(broker: string): Promise<Check> {
  const at = broker.lastIndexOf(':')
  const name = `Kafka broker ${broker}`
  const hint = 'check the name, the port, and network policies between this node and the broker'
  return new Promise((resolve) => {
    const socket = connect({ host: broker.slice(0, at), port: Number(broker.slice(at + 1)) })
    const settle = (check: Check): void => {
      socket.destroy()
      resolve(check)
    }
    socket.setTimeout(CONNECT_MS, () => settle(failed(name, `no answer within ${CONNECT_MS / 1000} s`, hint)))
    socket.once('connect', () => settle(ok(name, 'accepts connections')))
    socket.once('error', (error) => settle(failed(name, errorText(error), hint)))
  })
}

async function* clusterChecks(config: Config, wire: KafkaWire): AsyncGenerator<Check> {
  const { topic, createTopic, acks } = config.kafka
  let leaders: number[]
  try {
    leaders = await wire.leaders()
  } catch (error) {
    const check = clusterProblem(config, error)
    if (check !== null) {
      yield check
      return
    }
    yield ok('Kafka cluster', spoken(config))
    if (createTopic) yield warning('Kafka topic', `${topic} does not exist`, 'nothing: kafka.createTopic makes it')
    else yield failed('Kafka topic', `${topic} does not exist`, 'create it, or set kafka.createTopic')
    return
  }
  yield ok('Kafka cluster', spoken(config))
  const led = leaders.filter((leader) => leader !== -1).length
  const found = `${topic} has ${leaders.length} partitions`
  if (led < leaders.length) {
    yield warning(
      'Kafka topic',
      `${found}, ${leaders.length - led} without a leader`,
      'see to the brokers that are down',
    )
  } else yield ok('Kafka topic', found)
  const partition = leaders.findIndex((leader) => leader !== -1)
  if (partition !== -1) yield await writeCheck(wire, leaders[partition], partition, acks === 'all' ? -1 : 1)
}

/** What is wrong with the way to the cluster; null when only the topic is missing. */
function clusterProblem(config: Config, error: unknown): Check | null {
  const trouble = troubleOf(error)
  const text = troubleText(error)
  const { tls, sasl, topic } = config.kafka
  if (trouble === 'missingTopic') return null
  if (trouble !== 'denied') {
    const hint = tls.enabled
      ? 'check that the port speaks TLS, and that the brokers advertise addresses this node can reach'
      : 'check that the port speaks plain text (else set kafka.tls.enabled), and the addresses the brokers advertise'
    return failed('Kafka cluster', text, hint)
  }
  if (/cert|tls|ssl|self.signed/i.test(text)) {
    return failed('Kafka TLS', text, 'set kafka.tls.caFile to the authority of the brokers’ certificates')
  }
  if (/authoriz/i.test(text)) {
    return failed('Kafka topic', text, `allow ${sasl.username || 'this client'} to Describe and Write ${topic}`)
  }
  return failed('Kafka authentication', text, 'check kafka.sasl: mechanism, username and the password in its file')
}

function spoken({ kafka: { tls, sasl } }: Config): string {
  const encryption = tls.enabled ? 'over TLS' : 'in plain text'
  return sasl.mechanism === ''
    ? `answers ${encryption}`
    : `answers ${encryption}, as ${sasl.username} (${sasl.mechanism})`
}

/**
 * Whether we may write, without writing: a broker looks at permissions before it looks at the batch, and this one has a
 * wrong checksum.
 */
async function writeCheck(wire: KafkaWire, leader: number, partition: number, acks: 1 | -1): Promise<Check> {
  const name = 'Kafka write'
  const batch = new RecordBatch()
  batch.append(new Uint8Array(1), 0, 1, null, Uint8Array.of(0), Date.now(), 0)
  const bytes = batch.seal()
  bytes[bytes.length - 1] ^= 1
  try {
    const [answer] = await wire.produce(leader, {
      acks,
      partitions: [{ partition, batch: [bytes], bytes: bytes.length }],
    })
    const code = answer?.errorCode ?? -1
    if (code === CORRUPT_MESSAGE || code === INVALID_RECORD) return ok(name, 'permitted')
    if (troubleOfCode(code) === 'denied') return failed(name, 'not permitted', 'allow this user to Write the topic')
    return warning(name, `the broker answered with error ${code}`, 'see the broker’s log')
  } catch (error) {
    return failed(name, troubleText(error), 'check the addresses the brokers advertise')
  }
}
