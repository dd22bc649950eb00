/**
 * The sink's connection to the cluster: who leads which partition, kept current, and one client to send through.
 * Whatever fails on the way is retried, with a new client where the old one may be the cause, for as long as the agent
 * runs.
 *
 * Thread: the shipper's, on its event loop. Nothing here rejects but `produce`.
 */
import { clientFor, createTopic, type KafkaSettings, REQUEST_TIMEOUT_MS } from '../../kafka/client.ts'
import { type Diagnosis, diagnose } from '../../kafka/diagnosis.ts'
import { failureText, type KafkaFailure } from '../../kafka/errors.ts'
import { type Client, KafkaWire, MAX_MESSAGE_BYTES, type PartitionAnswer } from '../../kafka/kafkajs-wire.ts'
import type { ProduceRequest } from '../../kafka/produce-request.ts'
import { retryDelay } from '../../kafka/retry.ts'
import type { Log } from '../../log/folded-log.ts'

/** How often the partitions are asked for when nothing fails: added ones are used from then on. */
const REFRESH_MS = 60_000
/** kafkajs has its own time limits for each step; this is for a step that has none. */
const WATCHDOG_MS = 40_000
/** Where a person must act, frequent retries help nobody. */
const REFUSED_REFRESH_MS = 5_000

export interface TopicClientOptions {
  settings: KafkaSettings
  /** `max.message.bytes` of a topic that is created here. */
  maxMessageBytes: number
  log: Log
  /** Monotonic, milliseconds. */
  clock: () => number
  /** Called after each successful look at the cluster; with true when the one before had failed. */
  onChange: (recovered: boolean) => void
}

export class TopicClient {
  /** Leader of each partition, −1 where there is none; empty until the topic has been seen. */
  leaders: readonly number[] = []
  /** The topic's `max.message.bytes`; null: not known. */
  maxMessageBytes: number | null = null
  /** The last attempt to reach the cluster and its topic failed. */
  failing = false
  readonly #options: TopicClientOptions
  #client: Client | null = null
  #wire: KafkaWire | null = null
  /** The client has reached the cluster: `produce` makes sense. */
  #ready = false
  #refreshing = false
  #closed = false
  #dueMs = 0
  #attempts = 0
  #downSinceMs: number | null = null

  /** @throws InterceptorError (exit 2) when the settings cannot work */
  constructor(options: TopicClientOptions) {
    this.#options = options
    this.#open()
  }

  get connected(): boolean {
    return this.#ready
  }

  /** When the partitions are to be asked for next. */
  get nextDueMs(): number {
    return this.#refreshing ? Infinity : this.#dueMs
  }

  /** Starts a look at the cluster when one is due. */
  refreshIfDue(nowMs: number): void {
    if (nowMs < this.nextDueMs || this.#closed) return
    this.#refreshing = true
    void this.#refresh()
  }

  /** A request failed: a look at the cluster may repair it, or a new client. */
  suspect(failure: KafkaFailure): void {
    if (failure === 'temporary' || this.#refreshing) return
    if (failure === 'badAnswer') this.#discard()
    this.#dueMs = Math.min(this.#dueMs, this.#options.clock() + retryDelay(this.#attempts))
  }

  /** As KafkaWire.produce. */
  produce(leader: number, request: ProduceRequest): Promise<PartitionAnswer[]> {
    if (this.#wire === null) return Promise.reject(new Error('not connected to any broker'))
    return inTime(this.#wire.produce(leader, request))
  }

  /** Logs that the cluster does not accept pairs, and why. */
  reportDown(error: unknown): void {
    this.#downSinceMs ??= this.#options.clock()
    const diagnosis = diagnose(error, this.#options.settings, this.#client?.reached ?? 'nothing')
    const hint = diagnosis.hint === null ? '' : `: ${diagnosis.hint}`
    this.#options.log.warn(`${this.#describe(diagnosis)}${hint}; pairs wait in the buffer`)
  }

  /** Logs that the cluster accepts pairs, where the contrary was logged. */
  reportUp(): void {
    if (this.#downSinceMs === null) return
    this.#options.log.info('Kafka accepts pairs again', { downMs: this.#options.clock() - this.#downSinceMs })
    this.#downSinceMs = null
  }

  close(): void {
    this.#closed = true
    this.#discard()
  }

  #open(): KafkaWire {
    const { settings, log } = this.#options
    this.#client = clientFor(settings, { log: (message) => log.debug(`kafkajs: ${message}`) })
    this.#wire = new KafkaWire(this.#client, settings.clientId, settings.topic, REQUEST_TIMEOUT_MS)
    return this.#wire
  }

  /** The next client asks the name server again, and reads secrets that may have changed. */
  #discard(): void {
    this.#wire?.close()
    this.#wire = null
    this.#ready = false
  }

  async #refresh(): Promise<void> {
    try {
      const wire = this.#wire ?? this.#open()
      const leaders = await inTime(wire.leaders())
      if (leaders.length === 0) throw new Error('the topic has no partitions yet')
      this.maxMessageBytes = await inTime(readMaxMessageBytes(wire, leaders))
      this.leaders = leaders
      const recovered = this.failing
      this.failing = false
      this.#ready = true
      this.#attempts = 0
      this.#dueMs = this.#options.clock() + REFRESH_MS
      if (!this.#closed) this.#options.onChange(recovered)
    } catch (error) {
      await this.#missed(error)
    }
    this.#refreshing = false
  }

  async #missed(error: unknown): Promise<void> {
    const { settings, clock } = this.#options
    const { failure } = diagnose(error, settings, 'nothing')
    if (failure === 'missingTopic' && !this.#closed && settings.createTopic && (await this.#createTopic())) {
      this.#dueMs = clock() + retryDelay(0)
      return
    }
    this.failing = true
    if (!this.#closed) this.reportDown(error)
    if (failure === 'unreachable' || failure === 'badAnswer' || failure === 'refused') this.#discard()
    this.#dueMs = clock() + (failure === 'refused' ? REFUSED_REFRESH_MS : retryDelay(this.#attempts))
    this.#attempts += 1
  }

  /** @returns whether the topic exists now */
  async #createTopic(): Promise<boolean> {
    const { settings, maxMessageBytes, log } = this.#options
    try {
      const configs = { [MAX_MESSAGE_BYTES]: String(maxMessageBytes) }
      const created = await inTime(createTopic(settings, configs))
      if (created) log.info(`created the topic ${settings.topic}`, configs)
      return true
    } catch (error) {
      log.warn(`cannot create the topic ${settings.topic}: ${failureText(error)}`)
      return false
    }
  }

  #describe({ failure, text }: Diagnosis): string {
    const { topic, createTopic: creates } = this.#options.settings
    if (failure === 'refused') return `Kafka refuses this client: ${text}`
    if (failure !== 'missingTopic') return `Kafka is unreachable: ${text}`
    return `Kafka has no topic ${topic}${creates ? '' : ': create it, or set kafka.createTopic'}`
  }
}

/** What any leader answers; null where this user may not ask (DescribeConfigs on the topic). */
async function readMaxMessageBytes(wire: KafkaWire, leaders: readonly number[]): Promise<number | null> {
  const leader = leaders.find((broker) => broker !== -1)
  if (leader === undefined) return null
  try {
    return await wire.maxMessageBytes(leader)
  } catch {
    return null
  }
}

/** The promise, or a rejection if it takes far too long. */
function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${WATCHDOG_MS / 1000} s`)), WATCHDOG_MS)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}
