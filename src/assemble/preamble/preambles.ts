/** Recognises preambles by the first bytes of a connection, and stores their content in the flow. */

import type { Direction } from '../direction.ts'
import type { HostFlow } from '../host/host-flow.ts'
import type { ProgramMemory } from '../host/memory.ts'
import type { Program } from '../host/program.ts'
import { CR } from '../http1/text.ts'
import { PREAMBLE_DONE, PREAMBLE_INVALID, PREAMBLE_OPEN, TUNNEL_SOCKS } from './preamble.ts'
import { PROXY_V1, ProxyHead } from './proxy-head.ts'
import { SOCKS4, SOCKS5, SocksHandshake } from './socks-handshake.ts'

export class Preambles {
  readonly #memory: ProgramMemory
  readonly #program: Program
  /** Address of a copy of PROXY_V1. Bytes that were withheld because they might be a preamble equal its first ones. */
  readonly #withheld: number
  /** Serve all flows, one at a time. */
  readonly head = new ProxyHead()
  readonly handshake = new SocksHandshake()

  /** @param program receives bytes of earlier segments that have turned out to be no preamble */
  constructor(memory: ProgramMemory, program: Program) {
    this.#memory = memory
    this.#program = program
    this.#withheld = memory.addTemplate(PROXY_V1)
  }

  /**
   * Consumes what belongs to a preamble. Called with the bytes of a flow until it is recognised.
   *
   * @returns the address after those bytes; -1 if what follows cannot be read
   */
  skip(flow: HostFlow, direction: Direction, at: number, end: number, seq: number, ack: number): number {
    const isStart = isFirst(flow, direction, seq)
    const preamble = flow.preamble ?? this.#begin(flow, direction, this.#memory.bytes[at], isStart)
    if (preamble === null) return at
    const isNew = flow.preamble === null
    if (isNew && preamble instanceof ProxyHead) {
      preamble.seq = seq
      preamble.ack = ack
      preamble.micros = this.#program.micros()
    }
    flow.preamble = preamble
    const after = preamble.data(this.#memory.bytes, at, end, direction === flow.clientDirection || isNew)
    const { state } = preamble
    if (state === PREAMBLE_OPEN && (isStart || !isNew)) return after
    flow.preamble = null
    if (state === PREAMBLE_INVALID) return -1
    if (preamble instanceof SocksHandshake) flow.setTunnel(TUNNEL_SOCKS)
    else if (state === PREAMBLE_DONE) flow.proxied = preamble.endpoints
    else {
      if (preamble.withheld > 0) this.#passWithheld(flow, direction, preamble)
      return at
    }
    return after
  }

  /** @param isStart these are the first bytes of a client; else only a PROXY head that is complete can be one */
  #begin(flow: HostFlow, direction: Direction, first: number, isStart: boolean): ProxyHead | SocksHandshake | null {
    if (first === PROXY_V1[0] || first === CR) {
      if (!isStart && flow.clientDirection === 1 - direction) return null
      this.head.reset()
      return this.head
    }
    if (!isStart || (first !== SOCKS4 && first !== SOCKS5)) return null
    this.handshake.reset()
    return this.handshake
  }

  /** The time and numbers of a message that begins with them are those of the first one. */
  #passWithheld(flow: HostFlow, direction: Direction, head: ProxyHead): void {
    const program = this.#program
    const now = program.micros()
    program.setMicros(head.micros)
    program.content(flow.at, direction, this.#withheld, this.#withheld + head.withheld, head.seq, head.ack)
    program.setMicros(now)
  }
}

/** Whether the client's first byte of a connection has this number, and nothing of the connection is missing. */
function isFirst(flow: HostFlow, direction: Direction, seq: number): boolean {
  return (
    flow.clientDirection === direction && flow.isWhole && flow.synSeen(direction) && seq === flow.firstSeq(direction)
  )
}
