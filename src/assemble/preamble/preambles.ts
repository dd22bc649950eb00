/** Recognises preambles by the first bytes of a connection, owns their parsers, and stores their content in the flow. */
import { CR } from '../http1/text.ts'
import type { Arena } from '../memory/arena.ts'
import type { PacketTime } from '../packet-time.ts'
import { type Direction, type Flow, TUNNEL_SOCKS } from '../tcp/flow.ts'
import { PREAMBLE_DONE, PREAMBLE_INVALID, PREAMBLE_OPEN } from './preamble.ts'
import { PROXY_V1, ProxyHead } from './proxy-head.ts'
import { SOCKS4, SOCKS5, SocksHandshake } from './socks-handshake.ts'

/** Receives in-order bytes [at, end) of a stream that are no preamble; `seq` is the first one's. */
export type ContentConsumer = (
  flow: Flow,
  direction: Direction,
  at: number,
  end: number,
  seq: number,
  ack: number,
) => void

export class Preambles {
  readonly #arena: Arena
  readonly #time: PacketTime
  readonly #content: ContentConsumer
  /** Bytes that were withheld because they may have been a preamble can only be the first of these. */
  readonly #withheld: number
  readonly #heads: ProxyHead[] = []
  readonly #handshakes: SocksHandshake[] = []

  /** @param content receives bytes of earlier segments that have turned out to be no preamble */
  constructor(arena: Arena, time: PacketTime, content: ContentConsumer) {
    this.#arena = arena
    this.#time = time
    this.#content = content
    this.#withheld = arena.addTemplate(PROXY_V1)
  }

  /**
   * Consumes what belongs to a preamble. Called with the bytes of a flow until it is recognised.
   *
   * @returns the address after those bytes; -1 if what follows cannot be read
   */
  skip(flow: Flow, direction: Direction, at: number, end: number, seq: number, ack: number): number {
    const isStart = isFirst(flow, direction, seq)
    const preamble = flow.preamble ?? this.#begin(flow, direction, this.#arena.bytes[at], isStart)
    if (preamble === null) return at
    const isNew = flow.preamble === null
    if (isNew && preamble instanceof ProxyHead) {
      preamble.seq = seq
      preamble.ack = ack
      preamble.micros = this.#time.micros
    }
    flow.preamble = preamble
    const after = preamble.data(this.#arena.bytes, at, end, direction === flow.clientDirection || isNew)
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
  release(flow: Flow): void {
    const { preamble } = flow
    flow.preamble = null
    if (preamble instanceof ProxyHead) this.#heads.push(preamble)
    else if (preamble !== null) this.#handshakes.push(preamble)
  }

  /** @param isStart these are the first bytes of a client; else only a PROXY head that is complete can be one */
  #begin(flow: Flow, direction: Direction, first: number, isStart: boolean): ProxyHead | SocksHandshake | null {
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
  #passWithheld(flow: Flow, direction: Direction, head: ProxyHead): void {
    const time = this.#time
    const now = time.micros
    time.micros = head.micros
    this.#content(flow, direction, this.#withheld, this.#withheld + head.withheld, head.seq, head.ack)
    time.micros = now
  }
}

/** Whether the client's first byte of a connection has this number, and nothing of the connection is missing. */
function isFirst(flow: Flow, direction: Direction, seq: number): boolean {
  const { synSeen, firstSeq } = flow.streams[direction]
  return flow.clientDirection === direction && !flow.midstream && !flow.lossy && synSeen && seq === firstSeq
}
