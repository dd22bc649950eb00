/**
 * The preambles of flows (PROXY protocol, SOCKS): runs their parsers. Between the segments of a flow, the state of its
 * parser, and the endpoints that it found, are in the program's memory (../core/flow-preambles.ts), behind a byte that
 * tells what they are.
 */

import type { Direction } from '../direction.ts'
import type { Preamble } from '../preamble/preamble.ts'
import { Preambles } from '../preamble/preambles.ts'
import { HostFlow } from './host-flow.ts'
import type { ProgramMemory } from './memory.ts'
import type { Address, Program } from './program.ts'

const ENDPOINTS = 0
const HEAD = 1
const HANDSHAKE = 2

export class FlowPreambles {
  readonly #memory: ProgramMemory
  readonly #program: Program
  readonly #preambles: Preambles
  readonly #flow: HostFlow

  constructor(memory: ProgramMemory, program: Program) {
    this.#memory = memory
    this.#program = program
    this.#flow = new HostFlow(program)
    this.#preambles = new Preambles(memory, program)
  }

  /** Implements `hostPreamble` of core/host.ts. */
  skip(flow: Address, direction: Direction, at: Address, end: Address, seq: number, ack: number): Address {
    const view = this.#flow.moveTo(flow)
    const parser = this.#load(flow)
    view.preamble = parser
    const after = this.#preambles.skip(view, direction, at, end, seq, ack)
    return this.#keep(view, parser !== null) ? Math.max(0, after) : 0
  }

  /** Where the endpoints begin that a PROXY head named for the flow; 0: none did. */
  endpointsAt(flow: Address): Address {
    return this.#program.flowProxied(flow) === 0 ? 0 : this.#program.preambleAt(flow) + 1
  }

  /** Where they end. */
  endpointsEnd(flow: Address): Address {
    return this.#program.preambleAt(flow) + this.#program.preambleLength(flow)
  }

  /** The flow's parser, if one is in progress. */
  #load(flow: Address): HostFlow['preamble'] {
    const at = this.#program.preambleAt(flow)
    if (at === 0) return null
    const { bytes, view } = this.#memory
    const kind = bytes[at]
    if (kind === ENDPOINTS) return null
    const parser = kind === HEAD ? this.#preambles.head : this.#preambles.handshake
    parser.load(view, at + 1)
    return parser
  }

  /** @param had a parser was stored. @returns whether there was room */
  #keep({ at, preamble, proxied }: HostFlow, had: boolean): boolean {
    const program = this.#program
    let kept = true
    if (preamble !== null) kept = this.#storeParser(at, preamble)
    else if (proxied !== null) kept = this.#storeEndpoints(at, proxied)
    else if (had) program.storePreamble(at, 0)
    program.setFlowPreamble(at, preamble !== null && kept ? 1 : 0)
    return kept
  }

  #storeParser(flow: Address, parser: Preamble): boolean {
    const to = this.#program.storePreamble(flow, 1 + parser.savedBytes)
    if (to === 0) return false
    this.#memory.bytes[to] = parser === this.#preambles.head ? HEAD : HANDSHAKE
    parser.save(this.#memory.view, to + 1)
    return true
  }

  #storeEndpoints(flow: Address, endpoints: Uint8Array): boolean {
    const to = this.#program.storePreamble(flow, 1 + endpoints.length)
    this.#program.setFlowProxied(flow, to === 0 ? 0 : 1)
    if (to === 0) return false
    this.#memory.bytes[to] = ENDPOINTS
    this.#memory.bytes.set(endpoints, to + 1)
    return true
  }
}
