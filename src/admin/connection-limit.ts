/**
 * Limits the connections of a server so that no peer can keep others from being served. A new connection is always admitted:
 * at a limit, the oldest connection of the peer with the most connections is closed for it. So peers that hold many idle
 * connections close each other's, while a client that sends its request at once is answered: a connection is closed for
 * others only once its client has had time to send a request and this thread has had the chance to read it, however late
 * the thread is.
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
  /** Most connections from this machine, and most from all others, that have had their grace. */
  readonly total: number
  /** Most connections of each kind that have not. More than the system accepts at once, so that all of these are read. */
  readonly most: number
  /** Connections of one peer beyond this are closed, oldest first, once they have had their grace. */
  readonly perPeer: number
  /** Time in which a client can send its request, however many connections its peer has. */
  readonly graceMs: number
}

interface Connection {
  readonly socket: LimitedSocket
  /** Whether it has had its grace. Older connections of the peer have had theirs, too. */
  late: boolean
}

/** Timers run before sockets are read, and `setImmediate` after that. */
const afterReading = (ms: number, run: () => void): void => {
  setTimeout(() => setImmediate(run), ms).unref()
}

/** The open connections by peer. */
export class ConnectionLimit {
  readonly #limits: ConnectionLimits
  readonly #afterReading: (ms: number, run: () => void) => void
  readonly #local = new Map<string, Connection[]>()
  readonly #remote = new Map<string, Connection[]>()

  /** @param whenRead calls back once this time has passed and what arrived within it was read; milliseconds */
  constructor(limits: ConnectionLimits, whenRead = afterReading) {
    this.#limits = limits
    this.#afterReading = whenRead
  }

  /** Admits a connection, and closes others that are over a limit. */
  admit(socket: LimitedSocket): void {
    const { remoteAddress = '' } = socket
    const peers = isLocal(socket) ? this.#local : this.#remote
    const connections = peers.get(remoteAddress) ?? []
    peers.set(remoteAddress, connections)
    const connection = { socket, late: false }
    connections.push(connection)
    socket.once('close', () => remove(peers, remoteAddress, connection))
    const { graceMs, most } = this.#limits
    this.#afterReading(graceMs, () => {
      connection.late = true
      this.#closeLate(peers, remoteAddress)
    })
    this.#closeLate(peers, remoteAddress)
    while (sizeOf(peers) > most) closeOldest(peers, ...busiest(peers))
  }

  #closeLate(peers: Map<string, Connection[]>, peer: string): void {
    const { perPeer, total } = this.#limits
    const own = peers.get(peer) ?? []
    while (own.length > perPeer && own[0].late) closeOldest(peers, peer, own)
    while (sizeOf(peers) > total) {
      const [name, connections] = busiest(peers)
      if (!connections[0].late) return
      closeOldest(peers, name, connections)
    }
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

/** Whether its peer is on this machine: a connection to one of its own addresses comes from that address. */
export function isLocal({ remoteAddress: remote = '', localAddress: local }: LimitedSocket): boolean {
  const address = remote.replace(/^::ffff:(?=[\d.]+$)/, '')
  return remote === local || address === '::1' || (isIPv4(address) && address.startsWith('127.'))
}
