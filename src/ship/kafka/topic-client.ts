/**
 * The cluster as the sink sees it: who leads which partition, kept fresh, and one connection to send through. Everything
 * that can go wrong on the way is tried again, with a new client each time, for as long as the agent runs.
 *
 * Thread: the shipper's, on its event loop. Nothing here rejects but `produce`.
 */

import { clientFor, type KafkaSettings, REQUEST_TIMEOUT_MS } from '../../kafka/client.ts'
import { type Trouble, troubleOf, troubleText } from '../../kafka/errors.ts'
import { KafkaWire, type PartitionAnswer, type ProduceRequest } from '../../kafka/kafkajs-wire.ts'
import { retryDelay } from '../../kafka/retry.ts'
import type { Log } from '../../log/folded-log.ts'

/** How often the partitions are asked for when nothing is wrong: added ones are used from then on. */
const REFRESH_MS = 60_000
/** kafkajs has its own time limits for each step; this is for a step that has none. */
const WATCHDOG_MS = 40_000
/** Where a person must act, asking often helps nobody. */
const DENIED_REFRESH_MS = 5_000

export class TopicClient {
  /** Leader of each partition, −1 where there is none; empty until the topic has been seen. */
  leaders: readonly number[] = []
  /** The last attempt to reach the cluster and its topic failed. */
  failing = false
  /** There is a client that has reached the cluster: `produce` makes sense. */
  connected = false
  readonly #settings: KafkaSettings
  readonly #log: Log
  readonly #clock: () => number
  readonly #changed: (recovered: boolean) => void
  #wire: KafkaWire | null
  #refreshing = false
  #closed = false
  #dueMs = 0
  #attempts = 0
  #awaySinceMs: number | null = null

  /**
   * @param changed called after each successful look at the cluster; with true when the one before had failed
   * @throws InterceptorError (exit 2) when the settings cannot work
   */
  constructor(settings: KafkaSettings, log: Log, clock: () => number, changed: (recovered: boolean) => void) {
    this.#settings = settings
    this.#log = log
    this.#clock = clock
    this.#changed = changed
    this.#wire = this.#open()
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

  /** Something went wrong that a fresh look at the cluster may mend. */
  suspect(trouble: Trouble): void {
    if (trouble === 'retry' || this.#refreshing) return
    this.#dueMs = Math.min(this.#dueMs, this.#clock() + retryDelay(this.#attempts))
  }

  /** As KafkaWire.produce. */
  produce(leader: number, request: ProduceRequest): Promise<PartitionAnswer[]> {
    if (this.#wire === null) return Promise.reject(new Error('not connected to any broker'))
    return inTime(this.#wire.produce(leader, request))
  }

  /** Says once that the cluster does not take pairs, and why. */
  away(trouble: Trouble, error: unknown): void {
    this.#awaySinceMs ??= this.#clock()
    this.#log.warn(`${this.#describe(trouble, error)}; pairs wait in the buffer meanwhile`)
  }

  /** Says that the cluster takes pairs, where the contrary was said before. */
  back(): void {
    if (this.#awaySinceMs === null) return
    this.#log.info('Kafka takes pairs again', { awayMs: this.#clock() - this.#awaySinceMs })
    this.#awaySinceMs = null
  }

  close(): void {
    this.#closed = true
    this.#wire?.close()
    this.#wire = null
  }

  #open(): KafkaWire {
    const client = clientFor(this.#settings, (message) => this.#log.debug(`kafkajs: ${message}`))
    return new KafkaWire(client, this.#settings.clientId, this.#settings.topic, REQUEST_TIMEOUT_MS)
  }

  async #refresh(): Promise<void> {
    try {
      this.#wire ??= this.#open()
      const leaders = await inTime(this.#wire.leaders())
      if (leaders.length === 0) throw new Error('the topic has no partitions yet')
      this.leaders = leaders
      const recovered = this.failing
      this.failing = false
      this.connected = true
      this.#attempts = 0
      this.#dueMs = this.#clock() + REFRESH_MS
      if (!this.#closed) this.#changed(recovered)
    } catch (error) {
      await this.#missed(error)
    }
    this.#refreshing = false
  }

  async #missed(error: unknown): Promise<void> {
    const trouble = troubleOf(error)
    if (trouble === 'missingTopic' && !this.#closed && (await this.#createTopic())) {
      this.#dueMs = this.#clock() + retryDelay(0)
      return
    }
    this.failing = true
    if (!this.#closed) this.away(trouble, error)
    // A new client next time: it asks the name server again, and reads secrets that may have changed.
    if (trouble === 'away' || trouble === 'denied') {
      this.#wire?.close()
      this.#wire = null
      this.connected = false
    }
    this.#dueMs = this.#clock() + (trouble === 'denied' ? DENIED_REFRESH_MS : retryDelay(this.#attempts))
    this.#attempts += 1
  }

  /** @returns whether the topic was asked for and is there now */
  async #createTopic(): Promise<boolean> {
    const { topic, createTopic } = this.#settings
    if (!createTopic) return false
    const client = clientFor(this.#settings, () => {})
    const admin = client.kafka.admin()
    try {
      const created = await inTime(admin.connect().then(() => admin.createTopics({ topics: [{ topic }] })))
      if (created) this.#log.info(`created the topic ${topic}`)
      return true
    } catch (error) {
      this.#log.warn(`cannot create the topic ${topic}: ${troubleText(error)}`)
      return false
    } finally {
      client.close()
    }
  }

  #describe(trouble: Trouble, error: unknown): string {
    const { topic, createTopic } = this.#settings
    if (trouble === 'denied') return `Kafka refuses this client: ${troubleText(error)}`
    if (trouble !== 'missingTopic') return `Kafka is away: ${troubleText(error)}`
    return `Kafka has no topic ${topic}${createTopic ? '' : ': create it, or set kafka.createTopic'}`
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
