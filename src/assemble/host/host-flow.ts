/**
 * A flow of the program, for the parts of the assembler that are TypeScript: reads and writes its record through the
 * exports.
 */

import type { Direction } from '../direction.ts'
import type { ProxyHead } from '../preamble/proxy-head.ts'
import type { SocksHandshake } from '../preamble/socks-handshake.ts'
import type { Address, Program } from './program.ts'

/** What `Program.flowClient` returns while the client is unknown. */
const CLIENT_UNKNOWN = 2

/** One object serves all flows, one at a time: `moveTo` selects the flow. */
export class HostFlow {
  /** Address of the flow's record. */
  at: Address = 0
  /** The pods at its ends as encoded in pairs, once `Vantages.name` has found them. */
  clientPod: Uint8Array | null = null
  serverPod: Uint8Array | null = null
  /** Parses what precedes the protocol, while that is incomplete. */
  preamble: ProxyHead | SocksHandshake | null = null
  /** The real client and the address it connected to, as the load balancer in front names them, encoded for pairs. */
  proxied: Uint8Array | null = null
  readonly #program: Program

  constructor(program: Program) {
    this.#program = program
  }

  /** Selects the flow whose record is at this address. */
  moveTo(at: Address): this {
    this.at = at
    this.clientPod = null
    this.serverPod = null
    this.preamble = null
    this.proxied = null
    return this
  }

  get interfaceId(): number {
    return this.#program.flowInterface(this.at)
  }

  /** Which direction the client sends on, or -1 while unknown. */
  get clientDirection(): Direction | -1 {
    const client = this.#program.flowClient(this.at)
    return client === CLIENT_UNKNOWN ? -1 : (client as Direction)
  }

  /** Packet time of its last segment. */
  get lastMicros(): number {
    return this.#program.flowLastMicros(this.at)
  }

  get isIpv6(): boolean {
    return this.#program.isIpv6(this.at) !== 0
  }

  /** Port of the endpoint that sends on `direction`. */
  port(direction: Direction): number {
    return this.#program.portOf(this.at, direction)
  }

  /** Word `word` (0 to 3, big-endian value) of the address that sends on `direction`; IPv4 is word 0 alone. */
  addressWord(direction: Direction, word: number): number {
    return this.#program.addressWord(this.at, direction, word)
  }

  /** A VANTAGE_ value (../vantage/vantage.ts). */
  get vantage(): number {
    return this.#program.flowVantage(this.at)
  }

  set vantage(vantage: number) {
    this.#program.setFlowVantage(this.at, vantage)
  }

  /** The Host field of its first request decides whether its pairs are kept. */
  setHostPending(pending: boolean): void {
    this.#program.setFlowHostPending(this.at, pending ? 1 : 0)
  }

  /** Whether all of it was captured, from its first segment on. */
  get isWhole(): boolean {
    return this.#program.flowIsWhole(this.at) !== 0
  }

  /** Whether the SYN of a direction was captured, so that `firstSeq` is valid. */
  synSeen(direction: Direction): boolean {
    return this.#program.flowSynSeen(this.at, direction) !== 0
  }

  /** Sequence number after the SYN of a direction. */
  firstSeq(direction: Direction): number {
    return this.#program.flowFirstSeq(this.at, direction)
  }

  /** Its HTTP is exchanged through a tunnel. @param kind a TUNNEL_ value */
  setTunnel(kind: number): void {
    this.#program.setFlowTunnel(this.at, kind)
  }
}
