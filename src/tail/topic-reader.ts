/**
 * Reads a topic's records. Without a consumer group's name it commits nothing, leaves no group behind, and does not affect
 * other readers.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { usageError } from '../errors.ts'
import { clientFor, type KafkaSettings, REQUEST_TIMEOUT_MS } from '../kafka/client.ts'
import { registerCodecs } from '../kafka/codecs.ts'
import { codeOf, OFFSET_OUT_OF_RANGE } from '../kafka/errors.ts'
import type { Client, Reached } from '../kafka/kafkajs-client.ts'
import { KafkaWire, type TopicRecord } from '../kafka/kafkajs-wire.ts'
import { GroupOffsets } from './group-offsets.ts'

/** How long a broker waits for records before it responds without any. */
const MAX_WAIT_MS = 500
/** Interval of refreshing the partitions, so that added ones are read. */
const REFRESH_MS = 60_000

/** Where to begin: a number is a time, milliseconds since the Unix epoch. */
export type TailFrom = 'beginning' | 'end' | number

/** Which records are read. */
export interface TailRange {
  from: TailFrom
  /** Only these partitions; null: all. */
  partitions: readonly number[] | null
  /** Replaces `from`: the first offset in each partition; null: `from` applies. */
  offset: number | null
  /** Replaces `from` in the partitions where this consumer group has committed an offset; null: no group. */
  group: string | null
}

export class TopicReader {
  readonly #client: Client
  readonly #wire: KafkaWire
  #leaders: readonly number[] = []
  #refreshedMs = -Infinity
  #wanted: readonly number[] | null = null
  readonly #next = new Map<number, number>()
  readonly #ends = new Map<number, number>()
  #group: GroupOffsets | null = null

  /** @param log receives kafkajs's warnings @throws InterceptorError (EXIT_USAGE) when the settings cannot work */
  constructor(settings: KafkaSettings, log: (message: string) => void) {
    registerCodecs()
    this.#client = clientFor(settings, { log, reads: true, retries: 2 })
    this.#wire = new KafkaWire(this.#client, settings.clientId, settings.topic, REQUEST_TIMEOUT_MS)
  }

  /** How far the connection has come, for the diagnosis of a failure. */
  get reached(): Reached {
    return this.#client.reached
  }

  /** Finds where to begin, and where the topic ends now. @throws kafkajs's errors */
  async open({ from, partitions: wanted, offset, group }: TailRange): Promise<void> {
    await this.#refresh()
    const absent = wanted?.find((partition) => partition >= this.#leaders.length)
    if (absent !== undefined) {
      throw usageError(`--partition ${absent}: the topic has the partitions 0 to ${this.#leaders.length - 1}`)
    }
    this.#wanted = wanted
    const partitions = this.#leaders.flatMap((leader, partition) =>
      leader === -1 || wanted?.includes(partition) === false ? [] : [partition],
    )
    for (const [partition, offset] of await this.#wire.offsets('end', partitions)) this.#ends.set(partition, offset)
    for (const [partition, at] of await this.#wire.offsets(offset === null ? from : 'beginning', partitions)) {
      const end = this.#ends.get(partition) ?? at
      this.#next.set(partition, offset === null ? at : Math.min(Math.max(at, offset), end))
    }
    if (group !== null) await this.#openGroup(group)
  }

  /** Continues where another reader of the same topic failed. */
  resume(before: TopicReader): void {
    this.#wanted = before.#wanted
    this.#group = before.#group
    for (const [partition, offset] of before.#ends) this.#ends.set(partition, offset)
    for (const [partition, offset] of before.#next) this.#next.set(partition, offset)
  }

  /** True once everything is read that the topic held when it was opened. */
  get atEnd(): boolean {
    return [...this.#ends].every(([partition, end]) => (this.#next.get(partition) ?? 0) >= end)
  }

  /** The next records, in the order of their timestamps; empty when none arrived within half a second. */
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

  /**
   * Commits for the group, if there is one, that records were printed.
   *
   * @param left those of the same `read` that were not
   */
  async commit(printed: readonly TopicRecord[], left: readonly TopicRecord[]): Promise<void> {
    this.#group?.add(printed, left)
    await this.#group?.commit(this.#wire)
  }

  close(): void {
    this.#wire.close()
  }

  /** A batch may begin before the requested offset. @returns whether the record was not read before */
  #advance({ partition, offset }: TopicRecord): boolean {
    if (offset < (this.#next.get(partition) ?? 0)) return false
    this.#next.set(partition, offset + 1)
    return true
  }

  async #openGroup(name: string): Promise<void> {
    this.#group = new GroupOffsets(name)
    for (const [partition, offset] of await this.#group.begin(this.#wire, this.#next)) this.#next.set(partition, offset)
  }

  async #waitForLeaders(): Promise<void> {
    await sleep(MAX_WAIT_MS)
    this.#refreshedMs = -Infinity
  }

  /** Records were deleted (retention) before they were read: continues with the oldest that exist. */
  async #skipDeleted(): Promise<void> {
    for (const [partition, begin] of await this.#wire.offsets('beginning', [...this.#next.keys()])) {
      this.#next.set(partition, Math.max(begin, this.#next.get(partition) ?? 0))
    }
  }

  async #refresh(): Promise<void> {
    const known = this.#leaders.length
    this.#leaders = await this.#wire.leaders()
    this.#refreshedMs = performance.now()
    if (known === 0 || this.#wanted !== null) return
    for (let partition = known; partition < this.#leaders.length; partition += 1) this.#next.set(partition, 0)
  }
}
