/**
 * Logs that a part of the cluster does not accept pairs: a broker that does not respond, or partitions that are refused for a
 * reason that ends by itself. One line at first, one per period, and one at the end of each.
 *
 * Thread: the shipper's.
 */
import { failureText } from '../../kafka/errors.ts'
import type { Log } from '../../log/folded-log.ts'
import { OutageLog } from '../../log/outage-log.ts'

/** Partitions that are refused with one code. */
interface Refusal {
  readonly outage: OutageLog
  readonly partitions: Set<number>
}

export class PartOutages {
  readonly #log: Pick<Log, 'info' | 'warn'>
  readonly #clock: () => number
  readonly #periodMs: number
  readonly #brokers = new Map<number, OutageLog>()
  /** By the protocol's error code, because one reason often concerns every partition. */
  readonly #refusals = new Map<number, Refusal>()

  /** @param clock monotonic, milliseconds; @param periodMs between two lines about one outage */
  constructor(log: Pick<Log, 'info' | 'warn'>, clock: () => number, periodMs: number) {
    this.#log = log
    this.#clock = clock
    this.#periodMs = periodMs
  }

  /** A request to a broker has failed. */
  brokerFailed(broker: number, error: unknown): void {
    const outage = this.#brokers.get(broker) ?? this.#open()
    this.#brokers.set(broker, outage)
    // Of one kind: a broker that ends closes connections first, and refuses new ones later.
    outage.failed({ kind: '', message: `broker ${broker} does not accept pairs: ${failureText(error)}`, hint: null })
  }

  /** A broker has responded. */
  brokerResponded(broker: number): void {
    this.#brokers.get(broker)?.recovered(`broker ${broker} responds again`)
    this.#brokers.delete(broker)
  }

  /** A broker cannot accept pairs of this partition now. @param code of the protocol; @param error that stands for it */
  partitionRefused(partition: number, code: number, error: unknown): void {
    const refusal = this.#refusals.get(code) ?? { outage: this.#open(), partitions: new Set() }
    this.#refusals.set(code, refusal)
    refusal.partitions.add(partition)
    refusal.outage.failed({ kind: '', message: `Kafka does not accept pairs now: ${failureText(error)}`, hint: null })
  }

  /** A broker has accepted pairs of this partition. */
  partitionAccepted(partition: number): void {
    for (const [code, { outage, partitions }] of this.#refusals) {
      if (!partitions.delete(partition) || partitions.size > 0) continue
      outage.recovered('Kafka accepts the pairs of all partitions again')
      this.#refusals.delete(code)
    }
  }

  /** Forgets every outage, because it is part of one of the whole cluster, which is logged. */
  reset(): void {
    this.#brokers.clear()
    this.#refusals.clear()
  }

  #open(): OutageLog {
    return new OutageLog(this.#log, this.#clock, this.#periodMs)
  }
}
