/**
 * The sink's connection to the cluster: one client to send through, and the partitions' leaders, refreshed
 * periodically. Every failure is retried for as long as the agent runs, with a new client where the old one may be the
 * cause.
 *
 * Thread: the shipper's, on its event loop. Nothing here rejects but `produce`.
 */
import { clientFor, createTopic, type KafkaSettings, REQUEST_TIMEOUT_MS } from '../../kafka/client.ts'
import { type Diagnosis, diagnose, permissionHint } from '../../kafka/diagnosis.ts'
import { failureText, type KafkaFailure, kafkaFailureOf } from '../../kafka/errors.ts'
import type { Client } from '../../kafka/kafkajs-client.ts'
import { KafkaWire, MAX_MESSAGE_BYTES } from '../../kafka/kafkajs-wire.ts'
import type { ProduceRequest } from '../../kafka/produce-request.ts'
import type { PartitionResponse } from '../../kafka/produce-response.ts'
import { HEALTHY_MS, retryBackoff } from '../../kafka/retry.ts'
import type { Log } from '../../log/folded-log.ts'
import { OutageLog } from '../../log/outage-log.ts'
import { afterRunning } from '../../thread/running-time.ts'
import { PartOutages } from './part-outages.ts'

/** Interval of metadata refreshes while nothing fails: partitions that were added are used from the next one on. */
const REFRESH_MS = 60_000
/** kafkajs limits the time of most steps; this limits those it does not. */
const TIME_LIMIT_MS = 40_000
/** Refresh interval where a person must act first: credentials, permissions, settings. */
const REFUSED_REFRESH_MS = 5_000

/** The shipper comes here at least once a second: one that comes later than this did not run. */
const PAUSE_MS = 5_000
/** Requests that failed because of a pause fail within this time after it. */
const RESUMED_MS = 1_000

/** The kind of every failure that ends by itself: one outage causes several, such as stale metadata. */
const UNREACHABLE = 'unreachable'
/** Between two lines about an outage that lasts. */
const REMIND_MS = 10 * 60_000

export interface TopicClientOptions {
  settings: KafkaSettings
  /** `max.message.bytes` of a topic that is created here. */
  maxMessageBytes: number
  log: Log
  /** Monotonic, milliseconds. */
  clock: () => number
  /** Called after each successful metadata refresh; with true when the one before had failed. */
  onChange: (recovered: boolean) => void
}

export class TopicClient {
  /** Leader of each partition, −1 where there is none; empty before the first metadata of the topic. */
  leaders: readonly number[] = []
  /** The topic's `max.message.bytes`; null: not known. */
  maxMessageBytes: number | null = null
  /** The last attempt to reach the cluster and its topic failed. */
  failing = false
  readonly #options: TopicClientOptions
  #client: Client | null = null
  #wire: KafkaWire | null = null
  /** The client has received the topic's metadata, so that `produce` can find the leaders. */
  #ready = false
  /** A client has received it before: a connection that ends since then has another cause than the settings. */
  #hasWorked = false
  #refreshing = false
  #closed = false
  #dueMs = 0
  readonly #backoff = retryBackoff()
  /** When the client was opened: its first answers do not show yet that the broker's later ones are valid. */
  #openedMs = 0
  /** The invalid response for which the client was closed; null: none since it was opened. */
  #badResponse: Error | null = null
  readonly #broken: OutageLog
  /** A refresh is scheduled early: further failures do not make it later. */
  #retries = false
  /** A request has failed, and none was answered well since: metadata alone do not show that the cluster works. */
  #requestsFail = false
  /** When this thread last came here, and when it came after a pause in which it did not run. */
  #seenMs: number
  #resumed: { readonly atMs: number; readonly pausedMs: number } = { atMs: -Infinity, pausedMs: 0 }
  readonly #outage: OutageLog
  readonly #parts: PartOutages

  /** @throws InterceptorError (EXIT_USAGE) when the settings cannot work */
  constructor(options: TopicClientOptions) {
    this.#options = options
    this.#outage = new OutageLog(options.log, options.clock, REMIND_MS)
    this.#broken = new OutageLog(options.log, options.clock, REMIND_MS)
    this.#parts = new PartOutages(options.log, options.clock, REMIND_MS)
    this.#seenMs = options.clock()
    this.#open()
  }

  get connected(): boolean {
    return this.#ready
  }

  /** When the next metadata refresh is due. */
  get nextDueMs(): number {
    return this.#refreshing ? Infinity : this.#dueMs
  }

  /** Starts a metadata refresh when one is due. Call it at least once a second. */
  refreshIfDue(nowMs: number): void {
    this.#notePause(nowMs)
    if (nowMs < this.nextDueMs || this.#closed) return
    this.#refreshing = true
    void this.#refresh()
  }

  /** Schedules an early metadata refresh after a failed request, and a new client where the response was invalid. */
  requestFailed(failure: KafkaFailure): void {
    if (failure === 'temporary') return
    this.#requestsFail = true
    if (this.#refreshing) return
    if (failure === 'badResponse') this.#discard()
    if (this.#retries) return
    this.#retries = true
    this.#dueMs = Math.min(this.#dueMs, this.#options.clock() + this.#backoff.next())
  }

  /** Sends batches to a broker, as KafkaWire.produce does. */
  produce(leader: number, request: ProduceRequest): Promise<readonly PartitionResponse[]> {
    if (this.#wire === null) return Promise.reject(new Error('not connected to any broker'))
    return withTimeLimit(this.#wire.produce(leader, request))
  }

  /** Logs why the cluster does not accept pairs: once for each cause of an outage, whatever the texts of its errors. */
  reportDown(error: unknown): void {
    this.#notePause(this.#options.clock())
    const reached = this.#hasWorked ? 'topic' : (this.#client?.reached ?? 'nothing')
    const diagnosis = diagnose(error, this.#options.settings, reached)
    const { hint, cause } = diagnosis
    // What made this class close the client has been reported.
    if (cause === 'clientClosed') return
    if (diagnosis.failure === 'unreachable' && this.#hasJustResumed) {
      const seconds = Math.round(this.#resumed.pausedMs / 1000)
      this.#failed('paused', `this process did not run for ${seconds} s, and its connections to Kafka ended meanwhile`)
      return
    }
    this.#failed(kindOf(diagnosis), `${this.#describe(diagnosis)}${hint === null ? '' : `: ${hint}`}`)
  }

  /** Logs that one broker does not respond, unless that belongs to an outage of the cluster. */
  reportBrokerDown(broker: number, error: unknown): void {
    if (!this.#outage.lasts) this.#parts.brokerFailed(broker, error)
  }

  /** Logs that a broker responds again, if it was logged that it does not. */
  reportBrokerUp(broker: number): void {
    this.#parts.brokerResponded(broker)
  }

  /** Logs that a partition's pairs are not accepted now, unless that belongs to an outage of the cluster. */
  reportRefused(partition: number, code: number, error: unknown): void {
    if (!this.#outage.lasts) this.#parts.partitionRefused(partition, code, error)
  }

  /** Logs that the cluster accepts pairs again, if an outage was logged. @param partition whose pairs it has accepted */
  reportUp(partition: number): void {
    this.#requestsFail = false
    this.#answered()
    this.#outage.recovered('Kafka accepts pairs again')
    this.#parts.partitionAccepted(partition)
  }

  close(): void {
    this.#closed = true
    this.#discard()
  }

  #open(): KafkaWire {
    const { settings, log, clock } = this.#options
    const client: Client = clientFor(settings, {
      log: (message) => log.debug(`kafkajs: ${message}`),
      onBadResponse: (error) => this.#gotBadResponse(client, error),
    })
    this.#client = client
    this.#openedMs = clock()
    this.#badResponse = null
    this.#wire = new KafkaWire(client, settings.clientId, settings.topic, REQUEST_TIMEOUT_MS)
    return this.#wire
  }

  /** A connection ends because of an invalid response, which need not have been one to a request in flight. */
  #gotBadResponse(client: Client, error: Error): void {
    if (client !== this.#client || this.#closed) return
    this.#badResponse ??= error
    client.close()
    this.requestFailed('badResponse')
  }

  /** Logs why the client was closed, unless a request failed for that too, which has been logged. */
  #reportBadResponse(): void {
    if (this.#badResponse === null || this.#outage.lasts) return
    const message = `a broker sent an invalid response: ${failureText(this.#badResponse)}; connecting again`
    this.#broken.failed({ kind: 'badResponse', message, hint: null })
  }

  /** Kafka has answered a request well. The delays begin anew only if the client has worked for some time. */
  #answered(): void {
    if (this.#badResponse !== null) return
    const openMs = this.#options.clock() - this.#openedMs
    this.#backoff.worked(openMs)
    if (openMs >= HEALTHY_MS) this.#broken.recovered('Kafka’s responses are valid again')
  }

  /** While a process is stopped, or gets no CPU, its timeouts pass and brokers end its idle connections. */
  #notePause(nowMs: number): void {
    const pausedMs = nowMs - this.#seenMs
    this.#seenMs = nowMs
    if (pausedMs >= PAUSE_MS) this.#resumed = { atMs: nowMs, pausedMs }
  }

  get #hasJustResumed(): boolean {
    return this.#options.clock() - this.#resumed.atMs < RESUMED_MS
  }

  /** Closes the client. The next one resolves names again and rereads secrets, which may have changed. */
  #discard(): void {
    this.#wire?.close()
    this.#wire = null
    this.#ready = false
  }

  async #refresh(): Promise<void> {
    this.#retries = false
    if (this.#wire === null) this.#reportBadResponse()
    try {
      const wire = this.#wire ?? this.#open()
      const leaders = await withTimeLimit(wire.leaders())
      if (leaders.length === 0) throw new Error('the topic has no partitions yet')
      this.maxMessageBytes = await withTimeLimit(readMaxMessageBytes(wire, leaders))
      this.leaders = leaders
      const recovered = this.failing
      this.failing = false
      this.#ready = true
      this.#hasWorked = true
      this.#scheduleRefresh(leaders)
      if (!this.#closed) this.#options.onChange(recovered)
    } catch (error) {
      // The client was closed for the former, which ended the requests in flight.
      await this.#refreshFailed(this.#badResponse ?? error)
    }
    this.#refreshing = false
  }

  /** Metadata of a broker that is stopping, or has just started, names no leader: nothing would fail and cause a refresh. */
  #scheduleRefresh(leaders: readonly number[]): void {
    const { clock, settings } = this.#options
    if (!leaders.includes(-1)) {
      if (!this.#requestsFail) this.#answered()
      this.#dueMs = clock() + REFRESH_MS
      return
    }
    this.#dueMs = clock() + this.#backoff.next()
    if (leaders.some((leader) => leader !== -1)) return
    this.#failed(UNREACHABLE, `no partition of the topic ${settings.topic} has a leader`)
  }

  async #refreshFailed(error: unknown): Promise<void> {
    const { settings, clock } = this.#options
    const { failure } = diagnose(error, settings, 'nothing')
    const creates = failure === 'missingTopic' && !this.#closed && settings.createTopic
    if (creates && (await this.#createTopic())) {
      this.#dueMs = clock() + this.#backoff.next()
      return
    }
    this.failing = true
    if (!this.#closed && !creates) this.reportDown(error)
    if (failure === 'unreachable' || failure === 'badResponse' || failure === 'refused') this.#discard()
    this.#dueMs = clock() + (failure === 'refused' ? REFUSED_REFRESH_MS : this.#backoff.next())
  }

  /** @returns whether the topic exists now */
  async #createTopic(): Promise<boolean> {
    const { settings, maxMessageBytes, log } = this.#options
    try {
      const configs = { [MAX_MESSAGE_BYTES]: String(maxMessageBytes) }
      const created = await withTimeLimit(createTopic(settings, configs))
      if (created) log.info(`created the topic ${settings.topic}`, configs)
      return true
    } catch (error) {
      // It has been created, and the broker that was asked for its leaders does not know it yet.
      if (kafkaFailureOf(error) === 'missingTopic') return true
      this.#reportUncreated(error)
      return false
    }
  }

  #reportUncreated(error: unknown): void {
    const { settings } = this.#options
    const diagnosis = diagnose(error, settings, 'response')
    const hint =
      diagnosis.cause === 'permission' ? `${permissionHint(settings, 'Create')}, or create it` : diagnosis.hint
    const reason = hint === null ? diagnosis.text : `${diagnosis.text}: ${hint}`
    this.#failed('missingTopic', `Kafka has no topic ${settings.topic}, and it cannot be created: ${reason}`)
  }

  #failed(kind: string, message: string): void {
    this.#parts.reset()
    this.#outage.failed({ kind, message: `${message}; pairs wait in the buffer`, hint: null })
  }

  #describe({ failure, text }: Diagnosis): string {
    const { topic } = this.#options.settings
    if (failure === 'refused') return `Kafka refuses this client: ${text}`
    if (failure !== 'missingTopic') return `Kafka is unreachable: ${text}`
    return `Kafka has no topic ${topic}: create it, or set kafka.createTopic`
  }
}

/** The cause of a failure, as far as an outage is logged once for it. */
function kindOf({ failure, cause }: Diagnosis): string {
  if (failure === 'refused') return `refused: ${cause}`
  if (failure === 'missingTopic') return failure
  // Connections that were open hide this cause at first: their end has been logged before.
  return cause === 'unknownName' ? cause : UNREACHABLE
}

/** The topic's limit, from any leader; null where this user lacks DescribeConfigs on the topic. */
async function readMaxMessageBytes(wire: KafkaWire, leaders: readonly number[]): Promise<number | null> {
  const leader = leaders.find((broker) => broker !== -1)
  if (leader === undefined) return null
  try {
    return await wire.maxMessageBytes(leader)
  } catch {
    return null
  }
}

/** @returns the promise's result; rejects once this process has run for TIME_LIMIT_MS */
function withTimeLimit<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = afterRunning(TIME_LIMIT_MS, () => reject(new Error(`no response within ${TIME_LIMIT_MS / 1000} s`)))
  })
  return Promise.race([work, late]).finally(() => clearInterval(timer))
}
