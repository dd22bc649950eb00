/**
 * The offsets of a consumer group for which a topic is read. The group is not joined: one reader reads all partitions, and
 * commits what it has printed.
 */
import { runtimeError } from '../errors.ts'
import { codeOf } from '../kafka/errors.ts'
import type { FetchPosition, KafkaWire } from '../kafka/kafkajs-wire.ts'

/** ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, REBALANCE_IN_PROGRESS. */
const MEMBER_CODES: ReadonlySet<number | null> = new Set([22, 25, 27])

export class GroupOffsets {
  readonly #name: string
  /** The next record to print in each partition, where it is not committed yet. */
  readonly #next = new Map<number, number>()

  constructor(name: string) {
    this.#name = name
  }

  /**
   * Finds where to continue.
   *
   * @param starts where to begin in each partition in which the group has committed nothing; the first commit includes them
   * @returns offsets by partition
   * @throws InterceptorError (EXIT_RUNTIME) when the group has members; kafkajs's errors
   */
  async begin(wire: KafkaWire, starts: ReadonlyMap<number, number>): Promise<Map<number, number>> {
    const committed = await wire.committedOffsets(this.#name, [...starts.keys()])
    if (committed === null) throw this.#hasMembers()
    for (const [partition, start] of starts) if (!committed.has(partition)) this.#next.set(partition, start)
    return new Map([...starts, ...committed])
  }

  /**
   * Notes that some of the fetched records have been printed.
   *
   * @param printed, left records of one read, in any order across partitions
   */
  add(printed: readonly FetchPosition[], left: readonly FetchPosition[]): void {
    for (const { partition, offset } of printed)
      this.#next.set(partition, Math.max(offset + 1, this.#next.get(partition) ?? 0))
    // Records are printed in the order of their times, which need not be that of their offsets.
    for (const { partition, offset } of left) {
      const next = this.#next.get(partition)
      if (next !== undefined && offset < next) this.#next.set(partition, offset)
    }
  }

  /** Commits what was added since the last time. @throws InterceptorError when the group has members by now; kafkajs's errors */
  async commit(wire: KafkaWire): Promise<void> {
    if (this.#next.size === 0) return
    try {
      await wire.commitOffsets(
        this.#name,
        [...this.#next].map(([partition, offset]) => ({ partition, offset })),
      )
      this.#next.clear()
    } catch (error) {
      throw MEMBER_CODES.has(codeOf(error)) ? this.#hasMembers() : error
    }
  }

  #hasMembers() {
    return runtimeError(`the consumer group ${this.#name} has members, which commit its offsets`, {
      hint: 'Stop them, or name another group.',
    })
  }
}
