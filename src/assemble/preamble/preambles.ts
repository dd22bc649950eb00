/** Recognises preambles by the first bytes of a connection, owns their parsers, and stores their content in the flow. */

import type { Direction } from '../direction.ts'
import { CR } from '../http1/text.ts'
import { PREAMBLE_DONE, PREAMBLE_INVALID, PREAMBLE_OPEN, TUNNEL_SOCKS } from './preamble.ts'
import { PROXY_V1, ProxyHead } from './proxy-head.ts'
import { SOCKS4, SOCKS5, SocksHandshake } from './socks-handshake.ts'

/** A connection as far as what precedes its protocol depends on it. */
export interface BeginningFlow {
  /** Parses what precedes the protocol, while that is incomplete. */
  preamble: ProxyHead | SocksHandshake | null
  readonly clientDirection: Direction | -1
  /** First seen after its handshake; bytes of it are lost. */
  readonly midstream: boolean
  readonly lossy: boolean
  readonly streams: readonly [BeginningStream, BeginningStream]
  /** The real client and the address it connected to, as the load balancer in front names them, encoded for pairs. */
  proxied: Uint8Array | null
  /** A TUNNEL_ value. */
  tunnel: number
}

interface BeginningStream {
  readonly synSeen: boolean
  readonly firstSeq: number
}

/** Receives in-order bytes [at, end) of a stream that are no preamble; `seq` is the first one's. */
export type ContentConsumer<F> = (
  flow: F,
  direction: Direction,
  at: number,
  end: number,
  seq: number,
  ack: number,
) => void

/** Where the bytes are, and where constant ones can be put. */
interface BeginningMemory {
  readonly bytes: Uint8Array
  /** @returns the address of a copy that stays */
  addTemplate(content: Uint8Array): number
}

/** The packet time of the frame being processed. */
interface FrameTime {
  micros: number
}

export class Preambles<F extends BeginningFlow> {
  readonly #memory: BeginningMemory
  readonly #time: FrameTime
  readonly #content: ContentConsumer<F>
  /** Address of a copy of PROXY_V1. Bytes that were withheld because they might be a preamble equal its first ones. */
  readonly #withheld: number
  readonly #heads: ProxyHead[] = []
  readonly #handshakes: SocksHandshake[] = []

  /** @param content receives bytes of earlier segments that have turned out to be no preamble */
  constructor(memory: BeginningMemory, time: FrameTime, content: ContentConsumer<F>) {
    this.#memory = memory
    this.#time = time
    this.#content = content
    this.#withheld = memory.addTemplate(PROXY_V1)
  }

  /**
   * Consumes what belongs to a preamble. Called with the bytes of a flow until it is recognised.
   *
   * @returns the address after those bytes; -1 if what follows cannot be read
   */
  skip(flow: F, direction: Direction, at: number, end: number, seq: number, ack: number): number {
    const isStart = isFirst(flow, direction, seq)
    const preamble = flow.preamble ?? this.#begin(flow, direction, this.#memory.bytes[at], isStart)
    if (preamble === null) return at
    const isNew = flow.preamble === null
    if (isNew && preamble instanceof ProxyHead) {
      preamble.seq = seq
      preamble.ack = ack
      preamble.micros = this.#time.micros
    }
    flow.preamble = preamble
    const after = preamble.data(this.#memory.bytes, at, end, direction === flow.clientDirection || isNew)
    const { state } = preamble
    if (state === PREAMBLE_OPEN && (isStart || !isNew)) return after
    this.release(flow)
    if (state === PREAMBLE_INVALID) return -1
    if (preamble instanceof SocksHandshake) flow.tunnel = TUNNEL_SOCKS
    else if (state === PREAMBLE_DONE) flow.proxied = preamble.endpoints
    else {
      if (preamble.withheld > 0) this.#passWithheld(flow, direction, preamble)
      return at
    }
    return after
  }

  /** Returns the parser of a flow's preamble, if any, to the pool. */
  release(flow: F): void {
    const { preamble } = flow
    flow.preamble = null
    if (preamble instanceof ProxyHead) this.#heads.push(preamble)
    else if (preamble !== null) this.#handshakes.push(preamble)
  }

  /** @param isStart these are the first bytes of a client; else only a PROXY head that is complete can be one */
  #begin(flow: F, direction: Direction, first: number, isStart: boolean): ProxyHead | SocksHandshake | null {
    if (first === PROXY_V1[0] || first === CR) {
      if (!isStart && flow.clientDirection === 1 - direction) return null
      const head = this.#heads.pop() ?? new ProxyHead()
      head.reset()
      return head
    }
    if (!isStart || (first !== SOCKS4 && first !== SOCKS5)) return null
    const handshake = this.#handshakes.pop() ?? new SocksHandshake()
    handshake.reset()
    return handshake
  }

  /** The time and numbers of a message that begins with them are those of the first one. */
  #passWithheld(flow: F, direction: Direction, head: ProxyHead): void {
    const time = this.#time
    const now = time.micros
    time.micros = head.micros
    this.#content(flow, direction, this.#withheld, this.#withheld + head.withheld, head.seq, head.ack)
    time.micros = now
  }
}

/** Whether the client's first byte of a connection has this number, and nothing of the connection is missing. */
function isFirst(flow: BeginningFlow, direction: Direction, seq: number): boolean {
  const { synSeen, firstSeq } = flow.streams[direction]
  return flow.clientDirection === direction && !flow.midstream && !flow.lossy && synSeen && seq === firstSeq
}
