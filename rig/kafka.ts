/**
 * A real Apache Kafka for tests: one KRaft broker from Maven Central's JARs (kafka-jars.ts). Listeners: PLAINTEXT, and
 * SASL_SSL with PLAIN and SCRAM users and a certificate authority created for it.
 *
 * Data, keys and logs live in a temporary folder; the process is started and ended by its own id, and ends with this
 * one.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import kafkajs, { type Admin } from 'kafkajs'
import { defaultConfig } from '../src/config/load.ts'
import { clientFor } from '../src/kafka/client.ts'
import type { Client } from '../src/kafka/kafkajs-client.ts'
import { temporaryFolder } from './at-exit.ts'
import { buildOnce } from './built-once.ts'
import { fetchKafka, KAFKA_CLASSES, KAFKA_JARS, NEW_BROKER } from './kafka-jars.ts'
import { needs } from './needs.ts'
import { killAtExit } from './process-tree.ts'

/** Optimised for short runs, in which most code runs too rarely to be worth compiling well. */
export const JVM_FLAGS = ['-Xmx512m', '-XX:MetaspaceSize=128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const READY_MS = 60_000
const STOP_MS = 30_000
/** A UUID as Kafka writes it: 16 bytes. */
const CLUSTER_ID = Buffer.from('interceptor-test').toString('base64url')
/** How long certificates are valid, because brokers of later runs use them too. */
const DAYS = '36500'

/** Users of the SASL_SSL listener. */
export const KAFKA_USER = 'shipper'
export const KAFKA_PASSWORD = 'correct horse'

/** Properties of a broker with an authorizer; resources without rules are open to everyone. */
export const ACL_PROPERTIES = [
  'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'super.users=User:ANONYMOUS',
  'allow.everyone.if.no.acl.found=true',
]

export interface KafkaOptions {
  /** The first of three ports. */
  port: number
  /** Lines added to server.properties. */
  properties?: string[]
  /** The network namespace in which it runs, and where its addresses are valid. Absent: this process's. */
  namespace?: string
  /** Makes it another broker of the cluster whose first broker, and controller, is `of`. */
  member?: { of: KafkaBroker; nodeId: number }
}

/** For node:test's `skip`: false if Kafka can run here, otherwise the reason; always false with CI=true. */
export function needsKafka(): string | false {
  const missing = needs('java', 'openssl', 'kcat')
  if (missing !== false) return missing
  const reason = fetchKafka()
  return reason === null || process.env['CI'] === 'true' ? false : `needs kafka (${reason})`
}

export class KafkaBroker {
  readonly folder = temporaryFolder('kafka-')
  /** host:port of each listener. */
  readonly plaintext: string
  readonly saslSsl: string
  /** PEM of the authority that signed the broker's certificate. */
  readonly caFile: string
  readonly #port: number
  /** Puts a program into the namespace: the start of its command line. */
  readonly #enter: readonly string[]
  readonly #properties: string
  #process: ChildProcess | null = null
  #starts = 0

  /** Prepares a folder; `start` runs it. @throws when a tool fails, with its output */
  constructor(options: KafkaOptions) {
    const { port, member, namespace } = options
    this.#port = port
    this.#enter = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace]
    this.plaintext = `127.0.0.1:${port}`
    this.saslSsl = `localhost:${port + 1}`
    this.caFile = join(this.folder, 'ca.crt')
    this.#properties = join(this.folder, 'server.properties')
    cpSync(newBroker(), this.folder, { recursive: true })
    const own = member === undefined ? [] : memberProperties(port, member.of.#port, member.nodeId)
    writeFileSync(this.#properties, serverProperties(this.folder, port, [...own, ...(options.properties ?? [])]))
    if (member === undefined) return
    rmSync(join(this.folder, 'data'), { recursive: true })
    format(this.#properties)
  }

  /** Starts the broker and waits until it reports that it has started. */
  async start(): Promise<void> {
    const logFile = join(this.folder, 'broker.log')
    const log = openSync(logFile, 'a')
    const record = existsSync(KAFKA_CLASSES) ? [] : [`-XX:ArchiveClassesAtExit=${this.#recordedClasses}`]
    const command = [...record, ...javaArgs('kafka.Kafka', [this.#properties])]
    const [program, ...args] = [...this.#enter, 'java', ...command]
    const child = killAtExit(spawn(program, args, { stdio: ['ignore', log, log] }))
    closeSync(log)
    this.#process = child
    this.#starts += 1
    const end = Date.now() + READY_MS
    while (readFileSync(logFile, 'utf8').split('Kafka Server started').length <= this.#starts) {
      if (child.exitCode !== null || Date.now() > end) throw new Error(`Kafka did not start:\n${this.#lastLog()}`)
      await sleep(100)
    }
  }

  /** Ends the broker: SIGTERM shuts it down, SIGKILL is a crash. Its data are kept. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this.#process
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await exited
    clearTimeout(timer)
    this.#process = null
    // The first broker that shuts down orderly on this machine leaves an archive with which others start faster.
    if (child.signalCode === null && existsSync(this.#recordedClasses)) renameSync(this.#recordedClasses, KAFKA_CLASSES)
  }

  /** Process id of the running broker; undefined if it is stopped. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  get #recordedClasses(): string {
    return `${KAFKA_CLASSES}.${process.pid}`
  }

  /** Freezes (SIGSTOP) or thaws (SIGCONT) the broker: connections stay open without any response. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(signal)
  }

  /** Stops and removes everything. */
  async remove(): Promise<void> {
    await this.stop(existsSync(KAFKA_CLASSES) ? 'SIGKILL' : 'SIGTERM')
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** Creates a topic of four partitions, and waits until all have a leader. @param configs as `cleanup.policy=compact` */
  createTopic(topic: string, configs: string[] = [], replicationFactor = 1): Promise<void> {
    const configEntries = configs.map((line) => {
      const [name, value] = line.split('=')
      return { name, value }
    })
    const wanted = { topic, numPartitions: 4, replicationFactor, configEntries }
    return this.#asAdmin(async (admin) => {
      // kafkajs's own wait fails while the broker does not know the created topic yet.
      await admin.createTopics({ waitForLeaders: false, topics: [wanted] })
      const end = Date.now() + READY_MS
      const isLed = (): Promise<boolean> =>
        admin.fetchTopicMetadata({ topics: [topic] }).then(
          ({ topics }) => topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0)),
          () => false,
        )
      while (!(await isLed())) {
        if (Date.now() > end) throw new Error(`the topic ${topic} was not created:\n${this.#lastLog()}`)
        await sleep(20)
      }
    })
  }

  /** Ids of the brokers that lead a topic's partitions, by partition. */
  leaders(topic: string): Promise<number[]> {
    return this.#asAdmin(async (admin) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
      const partitions = topics.flatMap((one) => one.partitions)
      return partitions.sort((a, b) => a.partitionId - b.partitionId).map(({ leader }) => leader)
    })
  }

  deleteTopic(topic: string): Promise<void> {
    return this.#asAdmin((admin) => admin.deleteTopics({ topics: [topic] }))
  }

  /**
   * Allows KAFKA_USER an operation on a topic. Needs an authorizer (ACL_PROPERTIES). From its first rule on, a topic
   * permits only what its rules allow.
   */
  async allow(topic: string, operation: 'Describe' | 'Write'): Promise<void> {
    await this.#asAdmin((admin) => admin.createAcls({ acl: [ruleFor(topic, operation)] }))
  }

  /** Removes a permission that `allow` has granted. */
  async revoke(topic: string, operation: 'Describe' | 'Write'): Promise<void> {
    await this.#asAdmin((admin) => admin.deleteAcls({ filters: [ruleFor(topic, operation)] }))
  }

  /** kcat against the plaintext listener. @returns its standard output */
  kcat(args: string[], options: { encoding?: 'utf8' | 'latin1'; input?: string } = {}): string {
    return execFileSync('kcat', ['-b', this.plaintext, ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 30,
      timeout: 60_000,
      ...options,
    })
  }

  /** Ids of the consumer groups the broker knows. */
  listGroups(): Promise<string[]> {
    return this.#asAdmin(async (admin) => (await admin.listGroups()).groups.map(({ groupId }) => groupId))
  }

  /** Joins a consumer group that reads a topic. @returns a function that leaves it */
  async joinGroup(groupId: string, topic: string): Promise<() => Promise<void>> {
    const client = this.#client()
    const consumer = client.kafka.consumer({ groupId })
    await consumer.connect()
    await consumer.subscribe({ topic })
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
    await consumer.run({ eachMessage: async () => {} })
    await joined
    return async () => {
      await consumer.disconnect()
      client.close()
    }
  }

  #client(): Client {
    return clientFor({ ...defaultConfig().kafka, brokers: [this.plaintext] }, { log: () => {}, retries: 3 })
  }

  async #asAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const client = this.#client()
    const admin = client.kafka.admin()
    await admin.connect()
    try {
      return await work(admin)
    } finally {
      client.close()
    }
  }

  #lastLog(): string {
    return readFileSync(join(this.folder, 'broker.log'), 'utf8').split('\n').slice(-20).join('\n')
  }
}

/** KAFKA_USER may do this with a topic. */
function ruleFor(topic: string, operation: 'Describe' | 'Write') {
  const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
  return {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: topic,
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: `User:${KAFKA_USER}`,
    host: '*',
    operation: operation === 'Write' ? AclOperationTypes.WRITE : AclOperationTypes.DESCRIBE,
    permissionType: AclPermissionTypes.ALLOW,
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function javaArgs(main: string, args: readonly string[]): string[] {
  const classes = existsSync(KAFKA_CLASSES) ? [`-XX:SharedArchiveFile=${KAFKA_CLASSES}`] : []
  return [...JVM_FLAGS, ...classes, '-cp', `${KAFKA_JARS}/*`, main, ...args]
}

/**
 * The folder of a broker that has never run: an authority, keys, and storage with the users. Every broker begins with a copy,
 * because making it takes as long as starting a broker. @throws when a tool fails, with its output
 */
function newBroker(): string {
  const problem = buildOnce(NEW_BROKER, (folder) => {
    mkdirSync(folder)
    makeKeys(folder)
    formatStorage(folder)
    return null
  })
  if (problem !== null) throw new Error(problem)
  return NEW_BROKER
}

/** The port is irrelevant, because storage contains neither ports nor paths. */
function formatStorage(folder: string): void {
  const properties = join(folder, 'server.properties')
  writeFileSync(properties, serverProperties(folder, 9092, []))
  const scram = (mechanism: string): string => `${mechanism}=[name=${KAFKA_USER},password=${KAFKA_PASSWORD}]`
  format(properties, ['--add-scram', scram('SCRAM-SHA-256'), '--add-scram', scram('SCRAM-SHA-512')])
}

function format(properties: string, more: readonly string[] = []): void {
  const args = javaArgs('kafka.tools.StorageTool', ['format', '-t', CLUSTER_ID, '-c', properties, ...more])
  execFileSync('java', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** An authority, and a key store for the broker with a certificate for localhost and 127.0.0.1 that it signed. */
function makeKeys(folder: string): void {
  const openssl = (command: string): void => {
    execFileSync('openssl', command.split(' '), { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  openssl(`req -x509 -newkey rsa:2048 -nodes -days ${DAYS} -subj /CN=test-ca -keyout ca.key -out ca.crt`)
  openssl('req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout broker.key -out broker.csr')
  writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
  const authority = '-CA ca.crt -CAkey ca.key -CAcreateserial'
  openssl(`x509 -req -in broker.csr ${authority} -days ${DAYS} -extfile names -out broker.crt`)
  openssl('pkcs12 -export -in broker.crt -inkey broker.key -name broker -passout pass:secret -out broker.p12')
}

/**
 * The properties in which another broker differs from the first one, because it is not a controller. Kafka uses the
 * last of repeated properties.
 */
function memberProperties(port: number, firstPort: number, nodeId: number): string[] {
  const listeners = `PLAINTEXT://127.0.0.1:${port},SASL_SSL://localhost:${port + 1}`
  return [
    'process.roles=broker',
    `node.id=${nodeId}`,
    `controller.quorum.voters=1@127.0.0.1:${firstPort + 2}`,
    `listeners=${listeners}`,
    `advertised.listeners=${listeners}`,
  ]
}

function serverProperties(folder: string, port: number, more: string[]): string {
  const listeners = `PLAINTEXT://127.0.0.1:${port},SASL_SSL://localhost:${port + 1}`
  const login = `username="${KAFKA_USER}" password="${KAFKA_PASSWORD}"`
  return `${[
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${port + 2}`,
    `listeners=${listeners},CONTROLLER://127.0.0.1:${port + 2}`,
    `advertised.listeners=${listeners},CONTROLLER://127.0.0.1:${port + 2}`,
    'controller.listener.names=CONTROLLER',
    'listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL',
    'inter.broker.listener.name=PLAINTEXT',
    `log.dirs=${join(folder, 'data')}`,
    'num.partitions=4',
    'offsets.topic.replication.factor=1',
    'offsets.topic.num.partitions=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    // A killed broker may come back only when its session has ended; the default is 9 s.
    'broker.session.timeout.ms=4000',
    'broker.heartbeat.interval.ms=500',
    'auto.create.topics.enable=false',
    'ssl.keystore.type=PKCS12',
    `ssl.keystore.location=${join(folder, 'broker.p12')}`,
    'ssl.keystore.password=secret',
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required ' +
      `${login} user_${KAFKA_USER}="${KAFKA_PASSWORD}";`,
    'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;',
    'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;',
    ...more,
  ].join('\n')}\n`
}
