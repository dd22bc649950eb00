/**
 * Opens, refilters and closes the packet sockets of a run, for the supervisor. Main thread; a worker receives each
 * socket as a `LentSocket`.
 */

import type { PortRange } from '../../net/port-ranges.ts'
import { parseTunnels, type Tunnels } from '../../net/tunnels.ts'
import { withNetns } from '../../sys/netns.ts'
import type { BpfInstruction } from '../../sys/packet.ts'
import { compileForEthernet, compileForSocket, type SocketView } from '../filter/expression.ts'
import { buildFilter, type Exclusion } from '../filter/kernel-filter.ts'
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../wire/link-types.ts'
import {
  type BareSocket,
  bindSocket,
  closeSocket,
  type MappedRing,
  mapRing,
  openBareSocket,
  type SocketPlace,
  unmapRing,
} from './bare-socket.ts'
import { attachFilter } from './socket-calls.ts'

/** Options common to all interfaces, named as in the configuration's section `capture`. */
export interface SocketOptions {
  /** BPF expression, ANDed to the built-in filter; empty: none. */
  readonly filter: string
  readonly exclude: readonly Exclusion[]
  readonly snapLength: number
  readonly ringBytes: number
  readonly initialRingBytes: number
  readonly promiscuous: boolean
  /** Tunnels that pass on interfaces with `CaptureRules.tunnels`. */
  readonly tunnels: readonly string[]
}

/** An interface, and the selection of its traffic. */
export interface CaptureRules extends SocketPlace {
  /** Excluded TCP ports, at either end. */
  readonly excludePorts: readonly number[]
  /** Only packets from or to these addresses; null: all. */
  readonly onlyAddresses: readonly string[] | null
  /** Only packets from or to these ports; null: all. */
  readonly onlyPorts: readonly PortRange[] | null
  /** Whether tunnelled packets pass too. */
  readonly tunnels: boolean
}

/** A socket with its filter and ring; it receives nothing before `bind`. */
export interface PacketSocket extends BareSocket, MappedRing, SocketPlace {
  /** LINKTYPE_ value of its frames. */
  readonly linkType: number
  /** Its filter when it was opened. */
  readonly program: readonly BpfInstruction[]
}

/** Owns every descriptor and mapping that it opens, until `close` or `closeAll`. */
export class SocketOpener {
  readonly #options: SocketOptions
  readonly #tunnels: Tunnels
  /** Index of the interface that a socket is bound to, by descriptor. */
  readonly #bound = new Map<number, number>()
  /** The user's expression, compiled once per view, because compiling may resolve names. */
  readonly #expressions = new Map<SocketView, readonly BpfInstruction[]>()

  constructor(options: SocketOptions) {
    this.#options = options
    this.#tunnels = parseTunnels(options.tunnels)
  }

  /** Initial size of a target's ring. */
  get initialRingBytes(): number {
    return this.#options.initialRingBytes
  }

  /** The largest size of a ring. */
  get maxRingBytes(): number {
    return this.#options.ringBytes
  }

  get promiscuous(): boolean {
    return this.#options.promiscuous
  }

  /**
   * Checks the user's expression before any interface is known.
   *
   * @throws InterceptorError (EXIT_USAGE) when it is bad for Ethernet frames, or libpcap is missing
   */
  checkExpression(): void {
    if (this.#options.filter !== '') compileForEthernet(this.#options.filter)
  }

  /**
   * @param ringBytes size of its ring
   * @throws as `openBareSocket` and `mapRing`, and InterceptorError (EXIT_USAGE) for a bad expression; leaves no descriptor
   *   open
   */
  open(wanted: CaptureRules, ringBytes = this.#options.ringBytes): PacketSocket {
    const bare = openBareSocket(wanted)
    try {
      const program = this.filter({ ...bare, ...wanted }, wanted)
      const linkType = bare.cooked ? LINKTYPE_RAW : LINKTYPE_ETHERNET
      const { device, netns } = wanted
      return { ...bare, ...mapRing(bare.fd, device, { ...this.#options, ringBytes }), device, netns, linkType, program }
    } catch (error) {
      void closeSocket(bare.fd)
      throw error
    }
  }

  /** Sets a socket's filter, atomically for all following frames. @returns it @throws InterceptorError (EXIT_USAGE) */
  filter(
    socket: BareSocket & SocketPlace,
    { excludePorts, onlyAddresses, onlyPorts, tunnels }: Omit<CaptureRules, keyof SocketPlace>,
  ): readonly BpfInstruction[] {
    const { exclude, snapLength } = this.#options
    const program = buildFilter({
      view: socket.cooked ? 'cooked' : 'ethernet',
      outgoing: socket.outgoing,
      exclude: [...exclude, ...excludePorts.map((port) => ({ address: null, port }))],
      onlyAddresses,
      onlyPorts,
      tunnels: tunnels ? this.#tunnels : null,
      expression: this.#expression(socket),
      snapLength,
    })
    attachFilter(socket.fd, program)
    return program
  }

  /**
   * Binds the socket, which starts delivery into its ring. Later calls have no effect.
   *
   * @returns the interface's index, 0 for all
   * @throws as `bindSocket`
   */
  bind(socket: PacketSocket): number {
    const known = this.#bound.get(socket.fd)
    if (known !== undefined) return known
    const index = bindSocket(socket.fd, socket.device, this.#options.promiscuous)
    this.#bound.set(socket.fd, index)
    return index
  }

  /** Closes the descriptor and frees the ring. No worker may read the ring any more: that would crash the process. */
  close(socket: PacketSocket): Promise<void> {
    this.#bound.delete(socket.fd)
    unmapRing(socket)
    return closeSocket(socket.fd)
  }

  /** Closes several sockets. */
  async closeAll(sockets: readonly PacketSocket[]): Promise<void> {
    await Promise.all(sockets.map((socket) => this.close(socket)))
  }

  #expression({ cooked, link, device, netns }: BareSocket & SocketPlace): readonly BpfInstruction[] | null {
    const { filter, snapLength } = this.#options
    if (filter === '') return null
    const view = link === null ? 'any' : cooked ? 'packet' : 'ethernet'
    const known = this.#expressions.get(view)
    if (known !== undefined) return known
    const compile = () => compileForSocket(filter, view, device, snapLength)
    const compiled = netns === null ? compile() : withNetns(netns.path, compile, netns.inode)
    this.#expressions.set(view, compiled)
    return compiled
  }
}
