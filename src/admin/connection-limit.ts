/**
 * Limits the connections of a server so that no peer can keep others from being served. A new connection is always admitted:
 * at a limit, the oldest connection of the peer with the most connections is closed for it. So peers that hold many idle
 * connections close each other's, while a client that sends its request at once is answered.
 *
 * Connections from this machine, such as the kubelet's probes, and from other machines are limited separately: neither can
 * use up the other's places.
 */
import { isIPv4 } from 'node:net'

/** The part of a socket that the limit uses. */
export interface LimitedSocket {
  readonly remoteAddress?: string | undefined
  readonly localAddress?: string | undefined
  destroy(): unknown
  once(event: 'close', listener: () => void): unknown
}

export interface ConnectionLimits {
  /** Most connections from this machine, and most from all others. */
  readonly total: number
  /** Connections of one peer beyond this are closed, oldest first, once they are older than `graceMs`. */
  readonly perPeer: number
  /** Time in which a client can send its request, however many connections its peer has. */
  readonly graceMs: number
}

interface Connection {
  readonly socket: LimitedSocket
  readonly openedAt: number
}

/** The open connections by peer. */
export class ConnectionLimit {
  readonly #limits: ConnectionLimits
  readonly #now: () => number
  readonly #local = new Map<string, Connection[]>()
  readonly #remote = new Map<string, Connection[]>()

  /** @param now milliseconds, monotonic */
  constructor(limits: ConnectionLimits, now = () => performance.now()) {
    this.#limits = limits
    this.#now = now
  }

  /** Admits a connection, and closes others that are over a limit. */
  admit(socket: LimitedSocket): void {
    const { remoteAddress = '', localAddress } = socket
    const peers = isLocal(remoteAddress, localAddress) ? this.#local : this.#remote
    const connections = peers.get(remoteAddress) ?? []
    peers.set(remoteAddress, connections)
    const connection = { socket, openedAt: this.#now() }
    connections.push(connection)
    socket.once('close', () => remove(peers, remoteAddress, connection))
    this.#limitPeer(peers, remoteAddress, connections)
    while (sizeOf(peers) > this.#limits.total) closeOldest(peers, ...busiest(peers))
  }

  #limitPeer(peers: Map<string, Connection[]>, peer: string, connections: Connection[]): void {
    const { perPeer, graceMs } = this.#limits
    const before = this.#now() - graceMs
    while (connections.length > perPeer && connections[0].openedAt <= before) closeOldest(peers, peer, connections)
  }
}

function closeOldest(peers: Map<string, Connection[]>, peer: string, connections: Connection[]): void {
  const [oldest] = connections
  remove(peers, peer, oldest)
  oldest.socket.destroy()
}

function remove(peers: Map<string, Connection[]>, peer: string, connection: Connection): void {
  const connections = peers.get(peer)
  const at = connections?.indexOf(connection) ?? -1
  if (connections === undefined || at < 0) return
  connections.splice(at, 1)
  if (connections.length === 0) peers.delete(peer)
}

/** The peer with the most connections. */
const busiest = (peers: ReadonlyMap<string, Connection[]>): [string, Connection[]] =>
  [...peers].reduce((most, entry) => (entry[1].length > most[1].length ? entry : most))

const sizeOf = (peers: ReadonlyMap<string, Connection[]>): number =>
  [...peers.values()].reduce((sum, { length }) => sum + length, 0)

/** A connection to one of this machine's own addresses comes from that address. */
function isLocal(remote: string, local: string | undefined): boolean {
  const address = remote.replace(/^::ffff:(?=[\d.]+$)/, '')
  return remote === local || address === '::1' || (isIPv4(address) && address.startsWith('127.'))
}
