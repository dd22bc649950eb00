/**
 * The names of servers that are no known pods: the first Host field that is not an address itself. Learned from all pairs,
 * so that a server keeps its name on a map that a filter narrows. Bounded: further addresses have no name.
 */
import { isIP } from 'node:net'
import { type Endpoint, headerValue, type Pair } from '../pair/pair.ts'
import { isLoopback } from './access.ts'

/** The most addresses whose name is known, and the longest such name. */
const MOST_NAMES = 1000
const MOST_NAME = 100

export class EndNames {
  readonly #names = new Map<string, string>()

  /** Learns the name of a pair's server, unless it is a known pod or has a name already. */
  learn({ request, server }: Pair): void {
    if (server.pod !== null || this.#names.size >= MOST_NAMES) return
    const id = serverId(server)
    const name = (headerValue(request, 'host') ?? '').replace(/:\d+$/, '')
    if (!this.#names.has(id) && name !== '' && !isAddress(name)) this.#names.set(id, name.slice(0, MOST_NAME))
  }

  /** The name of a server by its id, or the id itself. */
  labelOf(id: string): string {
    return this.#names.get(id) ?? id
  }
}

/** The name of a server that is no known pod on the map. On loopback all servers have one address: there their ports differ. */
export const serverId = ({ address, port }: Endpoint): string => (isLoopback(address) ? `${address}:${port}` : address)

const isAddress = (name: string): boolean => isIP(name.replace(/^\[|\]$/g, '')) !== 0
