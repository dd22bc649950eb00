/**
 * Everything posted to the assemblers so far, which a restarted one must know. Main thread.
 *
 * Interfaces that are no longer captured stay until their number is reused, because a ring may still hold their frames.
 */
import type { KnownInterface, ToAssembler } from '../../assemble/worker-data.ts'
import type { Config } from '../../config/schema.ts'
import type { AddressEntry } from '../../pair/endpoint-pod.ts'
import type { VantagePolicy } from '../../target/interface-info.ts'

export class AssemblerState {
  /** The filter and the vantage policy in force. */
  filter: Config['filter']
  policy: VantagePolicy
  readonly #interfaces = new Map<number, KnownInterface>()
  readonly #addresses = new Map<string, AddressEntry>()

  constructor({ filter, targets }: Pick<Config, 'filter' | 'targets'>) {
    this.filter = filter
    this.policy = { keep: targets.keep, clusterNetworks: targets.clusterNetworks }
  }

  get interfaces(): KnownInterface[] {
    return [...this.#interfaces.values()]
  }

  get addresses(): AddressEntry[] {
    return [...this.#addresses.values()]
  }

  /** Applies a message that is being posted to all of them. */
  apply(message: ToAssembler): void {
    switch (message.t) {
      case 'interface': {
        const { t, ...known } = message
        this.#interfaces.set(known.id, known)
        break
      }
      case 'addresses':
        for (const entry of message.entries) this.#setAddress(entry)
        break
      case 'filter':
        this.filter = message.filter
        break
      case 'policy':
        this.policy = message.policy
        break
    }
  }

  #setAddress(entry: AddressEntry): void {
    if (entry.holders.length === 0) this.#addresses.delete(entry.address)
    else this.#addresses.set(entry.address, entry)
  }
}
