/**
 * Reads a topic record by record without a consumer group: nothing is committed, no group is left behind, and any number
 * of readers do not disturb each other.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { clientFor, type KafkaSettings, REQUEST_TIMEOUT_MS } from '../kafka/client.ts'
import { registerCodecs } from '../kafka/decompress.ts'
import { codeOf, OFFSET_OUT_OF_RANGE } from '../kafka/errors.ts'
import { KafkaWire, type TopicRecord } from '../kafka/kafkajs-wire.ts'

/** How long a broker waits for records before it answers that there are none. */
const MAX_WAIT_MS = 500
/** How often the partitions are asked for, so that added ones are read too. */
const REFRESH_MS = 60_000

/** Where to begin: a number is a time, milliseconds since the Unix epoch. */
export type TailFrom = 'beginning' | 'end' | number

export class TopicReader {
  readonly #wire: KafkaWire
  #leaders: readonly number[] = []
  #refreshedMs = -Infinity
  readonly #next = new Map<number, number>()
  readonly #ends = new Map<number, number>()

  /** @param log takes kafkajs's warnings @throws InterceptorError (exit 2) when the settings cannot work */
  constructor(settings: KafkaSettings, log: (message: string) => void) {
    registerCodecs()
    this.#wire = new KafkaWire(clientFor(settings, log, 2), settings.clientId, settings.topic, REQUEST_TIMEOUT_MS)
  }

  /** Finds where to begin, and where the topic ends now. @throws kafkajs's errors */
  async open(from: TailFrom): Promise<void> {
    await this.#refresh()
    const partitions = this.#leaders.flatMap((leader, partition) => (leader === -1 ? [] : [partition]))
    for (const [partition, offset] of await this.#wire.offsets('end', partitions)) this.#ends.set(partition, offset)
    for (const [partition, offset] of await this.#wire.offsets(from, partitions)) this.#next.set(partition, offset)
  }

  /** Takes up where another reader of the same topic stopped, after that one failed. */
  resume(before: TopicReader): void {
    for (const [partition, offset] of before.#ends) this.#ends.set(partition, offset)
    for (const [partition, offset] of before.#next) this.#next.set(partition, offset)
  }

  /** True once everything is read that was there when the topic was opened. */
  get atEnd(): boolean {
    return [...this.#ends].every(([partition, end]) => (this.#next.get(partition) ?? 0) >= end)
  }

  /** Records that follow, in the order of their times; empty when none came within half a second. */
  async read(): Promise<TopicRecord[]> {
    if (performance.now() - this.#refreshedMs > REFRESH_MS) await this.#refresh()
    const byLeader = new Map<number, { partition: number; offset: number }[]>()
    for (const [partition, offset] of this.#next) {
      const leader = this.#leaders[partition] ?? -1
      if (leader !== -1) byLeader.set(leader, [...(byLeader.get(leader) ?? []), { partition, offset }])
    }
    if (byLeader.size === 0) await this.#waitForLeaders()
    try {
      const fetches = [...byLeader].map(([leader, positions]) => this.#wire.fetch(leader, positions, MAX_WAIT_MS))
      const records = (await Promise.all(fetches)).flat().filter((record) => this.#advance(record))
      return records.sort((a, b) => a.timestampMs - b.timestampMs)
    } catch (error) {
      if (codeOf(error) !== OFFSET_OUT_OF_RANGE) throw error
      await this.#skipDeleted()
      return []
    }
  }

  close(): void {
    this.#wire.close()
  }

  /** A batch may begin before the place asked for. @returns whether the record is news */
  #advance({ partition, offset }: TopicRecord): boolean {
    if (offset < (this.#next.get(partition) ?? 0)) return false
    this.#next.set(partition, offset + 1)
    return true
  }

  async #waitForLeaders(): Promise<void> {
    await sleep(MAX_WAIT_MS)
    this.#refreshedMs = -Infinity
  }

  /** Records were deleted (retention) before they were read: goes on with the oldest there are. */
  async #skipDeleted(): Promise<void> {
    for (const [partition, begin] of await this.#wire.offsets('beginning', [...this.#next.keys()])) {
      this.#next.set(partition, Math.max(begin, this.#next.get(partition) ?? 0))
    }
  }

  async #refresh(): Promise<void> {
    const known = this.#leaders.length
    this.#leaders = await this.#wire.leaders()
    this.#refreshedMs = performance.now()
    if (known === 0) return
    for (let partition = known; partition < this.#leaders.length; partition += 1) this.#next.set(partition, 0)
  }
}
