/**
 * The packet sockets of a run, as the supervisor opens, refilters and closes them. Main thread; what a worker does with
 * one is lent to it as an `LentSocket`.
 */

import type { BpfInstruction } from '../../sys/packet.ts'
import { compileFilter } from '../filter/expression.ts'
import { buildFilter, type Exclusion } from '../filter/kernel-filter.ts'
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../wire/link.ts'
import {
  type BareSocket,
  bindSocket,
  type CapturePoint,
  closeSocket,
  type MappedRing,
  mapRing,
  openBareSocket,
  unmapRing,
} from './bare-socket.ts'
import { attachFilter } from './socket-calls.ts'

/** How to capture, the same for all interfaces. Names as in the configuration's section `capture`. */
export interface SocketOptions {
  /** BPF expression, ANDed to the built-in filter; empty: none. */
  readonly filter: string
  readonly exclude: readonly Exclusion[]
  readonly snapLength: number
  readonly ringBytes: number
  readonly promiscuous: boolean
}

/** An interface, and what of its traffic is wanted. */
export interface CaptureRules extends CapturePoint {
  /** TCP ports at either end that are left out. */
  readonly excludePorts: readonly number[]
  /** Only packets from or to these addresses; null: all. */
  readonly onlyAddresses: readonly string[] | null
}

/** A socket with its filter and ring; it receives from `begin` on. */
export interface PacketSocket extends BareSocket, MappedRing {
  readonly device: string
  /** LINKTYPE_ value of its frames. */
  readonly linkType: number
}

export class SocketOpener {
  readonly #options: SocketOptions
  /** The user's expression as each kind of socket takes it: compiling may ask the name server. */
  readonly #expressions = new Map<boolean, readonly BpfInstruction[]>()

  constructor(options: SocketOptions) {
    this.#options = options
  }

  get promiscuous(): boolean {
    return this.#options.promiscuous
  }

  /** @throws InterceptorError (usage) when the user's expression is bad, or libpcap missing */
  checkExpression(): void {
    if (this.#options.filter !== '') compileFilter(this.#options.filter, true, this.#options.snapLength)
  }

  /** @throws as `openBareSocket` and `mapRing` do, and InterceptorError (usage) for a bad expression; nothing is left open */
  open(wanted: CaptureRules): PacketSocket {
    const bare = openBareSocket(wanted)
    try {
      this.filter(bare, wanted)
      const linkType = bare.cooked ? LINKTYPE_RAW : LINKTYPE_ETHERNET
      return { ...bare, ...mapRing(bare.fd, wanted.device, this.#options), device: wanted.device, linkType }
    } catch (error) {
      void closeSocket(bare.fd)
      throw error
    }
  }

  /** Sets what a socket lets pass, at once for all frames from here on. @throws InterceptorError (usage) */
  filter(
    socket: BareSocket,
    { excludePorts, onlyAddresses }: Pick<CaptureRules, 'excludePorts' | 'onlyAddresses'>,
  ): void {
    const { exclude, snapLength } = this.#options
    const program = buildFilter({
      view: socket.cooked ? 'cooked' : 'ethernet',
      outgoing: socket.outgoing,
      exclude: [...exclude, ...excludePorts.map((port) => ({ address: null, port }))],
      onlyAddresses,
      expression: this.#expression(socket.cooked),
      snapLength,
    })
    attachFilter(socket.fd, program)
  }

  /** Lets frames gather. @returns the interface's index, 0 for all. @throws as `bindSocket` does */
  bind(socket: PacketSocket): number {
    return bindSocket(socket.fd, socket.device, this.#options.promiscuous)
  }

  /** Gives descriptor and memory back. No worker may hold the ring any more: reading it would end the process. */
  close(socket: PacketSocket): Promise<void> {
    unmapRing(socket)
    return closeSocket(socket.fd)
  }

  /** The same for several. */
  async closeAll(sockets: readonly PacketSocket[]): Promise<void> {
    await Promise.all(sockets.map((socket) => this.close(socket)))
  }

  #expression(cooked: boolean): readonly BpfInstruction[] | null {
    const { filter, snapLength } = this.#options
    if (filter === '') return null
    const known = this.#expressions.get(cooked)
    if (known !== undefined) return known
    const compiled = compileFilter(filter, cooked, snapLength)
    this.#expressions.set(cooked, compiled)
    return compiled
  }
}
