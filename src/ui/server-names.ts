/**
 * Names of servers that are not known pods: the first Host field that is not an address itself. Names are collected
 * from all pairs, so that a server keeps its name while a filter limits the map. Bounded: further addresses have no
 * name.
 */
import { isIP } from 'node:net'
import { type Endpoint, headerValue, type Pair } from '../pair/pair.ts'
import { isLoopback } from './access.ts'

/** The most addresses whose name is known, and the longest such name. */
const MOST_NAMES = 1000
const MOST_NAME = 100

export class ServerNames {
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

/**
 * The id of a server that is not a known pod: its address. On loopback all servers share one address, so the port is
 * part of the id.
 */
export const serverId = ({ address, port }: Endpoint): string => (isLoopback(address) ? `${address}:${port}` : address)

const isAddress = (name: string): boolean => isIP(name.replace(/^\[|\]$/g, '')) !== 0
