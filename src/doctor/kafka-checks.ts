/**
 * The doctor's checks of Kafka: each broker, the cluster as the shipper connects to it, the topic, and the permission
 * to write.
 */
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import type { Config } from '../config/schema.ts'
import { formatSize } from '../config/units.ts'
import { errorText, hintOf } from '../errors.ts'
import { counted } from '../format/units.ts'
import { parseBroker } from '../kafka/broker-address.ts'
import { clientFor } from '../kafka/client.ts'
import { type Diagnosis, diagnose, permissionHint } from '../kafka/diagnosis.ts'
import { CORRUPT_MESSAGE, type FailureCause, failureOfCode, failureText, INVALID_RECORD } from '../kafka/errors.ts'
import type { Client } from '../kafka/kafkajs-client.ts'
import { KafkaWire, MAX_MESSAGE_BYTES } from '../kafka/kafkajs-wire.ts'
import type { ProduceRequest } from '../kafka/produce-request.ts'
import { RecordBatch } from '../kafka/record-batch.ts'
import { largestRecordBytes } from '../kafka/record-size.ts'
import { type Check, failed, ok, skipped, warning } from './check.ts'

const CONNECT_MS = 3_000
const RESPONSE_MS = 10_000
const LEADER_ATTEMPTS = 10
const LEADER_PAUSE_MS = 200

/** Yields each check as soon as it is done. One that depends on a failed one is left out. Never throws. */
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
    client = clientFor(config.kafka, { log: () => {} })
  } catch (error) {
    yield failed('Kafka settings', errorText(error), hintOf(error) ?? 'correct the configuration')
    return
  }
  try {
    yield* clusterChecks(config, client)
  } finally {
    client.close()
  }
}

function brokerCheck(broker: string): Promise<Check> {
  const name = `Kafka broker ${broker}`
  const hint = 'check the name, the port, and network policies between this node and the broker'
  return new Promise((resolve) => {
    const socket = connect(parseBroker(broker))
    const settle = (check: Check): void => {
      socket.destroy()
      resolve(check)
    }
    socket.setTimeout(CONNECT_MS, () => settle(failed(name, `no response within ${CONNECT_MS / 1000} s`, hint)))
    socket.once('connect', () => settle(ok(name, 'accepts connections')))
    socket.once('error', (error) => settle(failed(name, errorText(error), hint)))
  })
}

async function* clusterChecks(config: Config, client: Client): AsyncGenerator<Check> {
  const { topic, createTopic, clientId } = config.kafka
  const wire = new KafkaWire(client, clientId, topic, RESPONSE_MS)
  let leaders: number[]
  try {
    leaders = await wire.leaders()
  } catch (error) {
    const diagnosis = diagnose(error, config.kafka, client.reached)
    if (diagnosis.failure !== 'missingTopic') {
      yield clusterProblem(diagnosis)
      return
    }
    yield ok('Kafka cluster', connectedAs(config))
    const found = `${topic} does not exist`
    if (createTopic) yield warning('Kafka topic', found, 'nothing: kafka.createTopic creates it')
    else yield failed('Kafka topic', found, 'create it, or set kafka.createTopic')
    return
  }
  yield ok('Kafka cluster', connectedAs(config))
  yield partitionCheck(topic, leaders)
  const partition = leaders.findIndex((leader) => leader !== -1)
  if (partition === -1) return
  yield await sizeCheck(config, wire, leaders[partition])
  yield await writeCheck(config, wire, { leader: leaders[partition], partition })
}

function clusterProblem({ failure, cause, text, hint }: Diagnosis): Check {
  return failed(failure === 'refused' ? refusedCheck(cause) : 'Kafka cluster', text, hint ?? 'see the broker’s log')
}

function refusedCheck(cause: FailureCause): string {
  if (cause === 'certificate' || cause === 'notTls') return 'Kafka TLS'
  return cause === 'permission' ? 'Kafka topic' : 'Kafka authentication'
}

function connectedAs({ kafka: { tls, sasl } }: Config): string {
  const encryption = tls.enabled ? 'over TLS' : 'in plaintext'
  if (sasl.mechanism === '') return `answers ${encryption}`
  return `answers ${encryption}, authenticated by ${sasl.mechanism}${sasl.username === '' ? '' : ` as ${sasl.username}`}`
}

function partitionCheck(topic: string, leaders: readonly number[]): Check {
  const found = `${topic} has ${counted(leaders.length, 'partition')}`
  const leaderless = leaders.filter((leader) => leader === -1).length
  if (leaderless === 0) return ok('Kafka topic', found)
  return warning('Kafka topic', `${found}, ${leaderless} without a leader`, 'see which brokers are down')
}

/** Whether the topic accepts every pair within the limits. */
async function sizeCheck(config: Config, wire: KafkaWire, broker: number): Promise<Check> {
  const name = `Kafka ${MAX_MESSAGE_BYTES}`
  const needed = largestRecordBytes(config)
  let limit: number | null = null
  try {
    limit = await wire.maxMessageBytes(broker)
  } catch (error) {
    return skipped(name, `not readable: ${failureText(error)}; pairs within the limits need ${needed}`)
  }
  if (limit === null) return skipped(name, `the broker does not report it; pairs within the limits need ${needed}`)
  if (limit >= needed) return ok(name, `${limit}, enough for every pair within the limits`)
  const found = `${limit}, but pairs within the limits need up to ${needed} (${formatSize(needed)}): larger ones are dropped`
  const command = `kafka-configs --alter --topic ${config.kafka.topic} --add-config ${MAX_MESSAGE_BYTES}=${needed}`
  return warning(name, found, `${command}, or lower limits.pairBytes`)
}

/**
 * Whether this user may write, without writing: a broker checks permissions before it checks the batch, and this one
 * has a wrong checksum.
 */
async function writeCheck(
  { kafka }: Config,
  wire: KafkaWire,
  { leader, partition }: { leader: number; partition: number },
): Promise<Check> {
  const name = 'Kafka write'
  const batch = new RecordBatch()
  batch.append(new Uint8Array(1), 0, 1, null, Uint8Array.of(0), Date.now(), 0)
  const bytes = batch.seal()
  bytes[bytes.length - 1] ^= 1
  const request = {
    acks: kafka.acks === 'all' ? (-1 as const) : (1 as const),
    partitions: [{ partition, batch: [bytes], bytes: bytes.length }],
  }
  try {
    let code = await produceCode(wire, leader, request)
    // The leader of a topic that was just created may not know yet that it leads.
    for (let attempt = 1; attempt < LEADER_ATTEMPTS && failureOfCode(code) === 'staleMetadata'; attempt += 1) {
      await setTimeout(LEADER_PAUSE_MS)
      code = await produceCode(wire, leader, request)
    }
    if (code === CORRUPT_MESSAGE || code === INVALID_RECORD) return ok(name, 'permitted')
    if (failureOfCode(code) === 'refused') return failed(name, 'not permitted', permissionHint(kafka, 'Write'))
    return warning(name, `the broker responded with error ${code}`, 'see the broker’s log')
  } catch (error) {
    return failed(name, failureText(error), 'check the addresses that the brokers advertise')
  }
}

/** @returns the error code of the only partition of a request; -1 where the response lacks it */
async function produceCode(wire: KafkaWire, leader: number, request: ProduceRequest): Promise<number> {
  const [result] = await wire.produce(leader, request)
  return result?.errorCode ?? -1
}
