/**
 * The preambles of flows (PROXY protocol, SOCKS): runs their parsers, and keeps by flow the parsers in progress and the endpoints
 * that they found.
 */

import type { Direction } from '../direction.ts'
import { Preambles } from '../preamble/preambles.ts'
import { HostFlow } from './host-flow.ts'
import type { ProgramMemory } from './memory.ts'
import type { Address, Program } from './program.ts'

export class FlowPreambles {
  readonly #program: Program
  readonly #preambles: Preambles
  readonly #flow: HostFlow
  /** Parsers of flows whose preamble is incomplete. */
  readonly #parsers = new Map<Address, HostFlow['preamble']>()
  /** The endpoints that a PROXY head named, by flow. */
  readonly #proxied = new Map<Address, Uint8Array>()

  constructor(memory: ProgramMemory, program: Program) {
    this.#program = program
    this.#flow = new HostFlow(program)
    this.#preambles = new Preambles(memory, program)
  }

  /** As `hostPreamble` in core/host.ts. */
  skip(flow: Address, direction: Direction, at: Address, end: Address, seq: number, ack: number): Address {
    const view = this.#flow.moveTo(flow)
    view.preamble = this.#parsers.get(flow) ?? null
    const after = this.#preambles.skip(view, direction, at, end, seq, ack)
    this.#keep(view)
    return Math.max(0, after)
  }

  /** Releases the flow's parser. */
  release(flow: Address): void {
    const view = this.#flow.moveTo(flow)
    view.preamble = this.#parsers.get(flow) ?? null
    this.#preambles.release(view)
    this.#keep(view)
  }

  /** The flow is over. */
  end(flow: Address): void {
    this.release(flow)
    this.#proxied.delete(flow)
    this.#program.setFlowProxied(flow, 0)
  }

  /** The endpoints that a PROXY head named for the flow, or null. */
  proxied(flow: Address): Uint8Array | null {
    return this.#program.flowProxied(flow) === 0 ? null : (this.#proxied.get(flow) ?? null)
  }

  #keep({ at, preamble, proxied }: HostFlow): void {
    if (preamble === null) this.#parsers.delete(at)
    else this.#parsers.set(at, preamble)
    this.#program.setFlowPreamble(at, preamble === null ? 0 : 1)
    if (proxied === null) return
    this.#proxied.set(at, proxied)
    this.#program.setFlowProxied(at, 1)
  }
}
