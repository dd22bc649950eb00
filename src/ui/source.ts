/** A source of pairs, as the page shows it. */
import type { Ledger } from '../ledger/ledger.ts'
import type { SourceKind, TargetsView } from './protocol.ts'

/** A source of pairs, and what else it reports. */
export interface UiSource {
  readonly kind: SourceKind
  /** `shop.pcap`, `eth0` */
  readonly title: string
  /** No more pairs will arrive. */
  ended: boolean
  /** Why the source failed; null: it did not. */
  failure: string | null
  /** The ledger so far; null: the source has none. */
  ledger(): Promise<Ledger | null>
  /** What was captured of each pod or interface, and advice where there is no pair. */
  targets(): Promise<TargetsView>
}
