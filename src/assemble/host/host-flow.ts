/** A flow of the program, for the parts of the assembler that are TypeScript: reads and writes its record through the exports. */

import type { Direction } from '../direction.ts'
import type { BeginningFlow } from '../preamble/preambles.ts'
import type { ProxyHead } from '../preamble/proxy-head.ts'
import type { SocksHandshake } from '../preamble/socks-handshake.ts'
import type { SeenFlow } from '../vantage/vantage.ts'
import type { Address, Program } from './program.ts'

/** Of `Program.flowClient`. */
const CLIENT_UNKNOWN = 2

/** One object serves all flows, one at a time: `moveTo` selects the flow. */
export class HostFlow implements SeenFlow, BeginningFlow {
  /** Address of the flow's record. */
  at: Address = 0
  clientPod: Uint8Array | null = null
  serverPod: Uint8Array | null = null
  /** The program knows which names are up to date. */
  namesVersion = 0
  preamble: ProxyHead | SocksHandshake | null = null
  proxied: Uint8Array | null = null
  readonly streams: readonly [HostStream, HostStream]
  readonly #program: Program

  constructor(program: Program) {
    this.#program = program
    this.streams = [new HostStream(this, 0, program), new HostStream(this, 1, program)]
  }

  /** Selects the flow whose record is at this address. */
  moveTo(at: Address): this {
    this.at = at
    this.clientPod = null
    this.serverPod = null
    this.namesVersion = 0
    this.preamble = null
    this.proxied = null
    return this
  }

  get index(): number {
    return this.at
  }

  get interfaceId(): number {
    return this.#program.flowInterface(this.at)
  }

  get clientDirection(): Direction | -1 {
    const client = this.#program.flowClient(this.at)
    return client === CLIENT_UNKNOWN ? -1 : (client as Direction)
  }

  get vantage(): number {
    return this.#program.flowVantage(this.at)
  }

  set vantage(vantage: number) {
    this.#program.setFlowVantage(this.at, vantage)
  }

  /** Only set by vantages: the program resets it. */
  get hostPending(): boolean {
    return false
  }

  set hostPending(pending: boolean) {
    this.#program.setFlowHostPending(this.at, pending ? 1 : 0)
  }

  get midstream(): boolean {
    return this.#program.flowIsWhole(this.at) === 0
  }

  /** `midstream` covers it: the two are asked for together. */
  get lossy(): boolean {
    return false
  }

  /** Only set by preambles. */
  get tunnel(): number {
    return 0
  }

  set tunnel(kind: number) {
    this.#program.setFlowTunnel(this.at, kind)
  }
}

class HostStream {
  readonly #flow: HostFlow
  readonly #direction: Direction
  readonly #program: Program

  constructor(flow: HostFlow, direction: Direction, program: Program) {
    this.#flow = flow
    this.#direction = direction
    this.#program = program
  }

  get synSeen(): boolean {
    return this.#program.flowSynSeen(this.#flow.at, this.#direction) !== 0
  }

  get firstSeq(): number {
    return this.#program.flowFirstSeq(this.#flow.at, this.#direction)
  }
}
