/**
 * Scripts a TCP connection: what both endpoints send, with the sequence and acknowledgement numbers of a real stack, as
 * segments that a test may split, drop, reorder or repeat before it encodes them as frames.
 */

/** Bits of the TCP header's flags byte (RFC 9293 §3.1). */
export const FIN = 0x01
export const SYN = 0x02
export const RST = 0x04
const PSH = 0x08
export const ACK = 0x10
export const URG = 0x20

export interface Segment {
  fromClient: boolean
  /** Modulo 2^32. */
  seq: number
  ack: number
  flags: number
  payload: Uint8Array
  /** Packet time, microseconds since the epoch. */
  micros: number
  /** Urgent pointer, used only with URG. */
  urgent?: number
  /** TCP options, a multiple of four bytes. */
  options?: Uint8Array
  /** Bytes of payload behind `payload` that a snap length cut off. */
  cut?: number
}

export type Side = 'client' | 'server'

export interface ScriptOptions {
  clientIsn?: number
  serverIsn?: number
  /** Most payload bytes of a segment. */
  segmentBytes?: number
  startMicros?: number
  /** Packet time between segments. */
  stepMicros?: number
  /** Whether the receiver acknowledges data immediately with a separate segment. */
  bareAcks?: boolean
}

export const START_MICROS = 1_700_000_000_000_000

export const toBytes = (data: string | Uint8Array): Uint8Array =>
  typeof data === 'string' ? Buffer.from(data, 'latin1') : data

/** Each call appends segments; `segments` is the conversation as sent. */
export class TcpScript {
  readonly segments: Segment[] = []
  /** Packet time of the next segment. */
  micros: number
  readonly #step: number
  readonly #segmentBytes: number
  readonly #bareAcks: boolean
  readonly #next: Record<Side, number>
  /** The end of each side's data that the other side has received. */
  readonly #received: Record<Side, number>

  constructor(options: ScriptOptions = {}) {
    this.micros = options.startMicros ?? START_MICROS
    this.#step = options.stepMicros ?? 100
    this.#segmentBytes = options.segmentBytes ?? 1448
    this.#bareAcks = options.bareAcks ?? true
    this.#next = { client: (options.clientIsn ?? 1000) >>> 0, server: (options.serverIsn ?? 5000) >>> 0 }
    this.#received = { ...this.#next }
  }

  /** SYN, SYN+ACK, ACK. */
  handshake(): this {
    this.#push('client', SYN, new Uint8Array(0), 0)
    this.#push('server', SYN | ACK, new Uint8Array(0))
    return this.ack('client')
  }

  /** Starts a connection whose handshake was not captured. */
  midstream(): this {
    for (const side of ['client', 'server'] as const) {
      this.#next[side] = (this.#next[side] + 1) >>> 0
      this.#received[side] = this.#next[side]
    }
    return this
  }

  client(data: string | Uint8Array): this {
    return this.send('client', data)
  }

  server(data: string | Uint8Array): this {
    return this.send('server', data)
  }

  /** Sends data, split into segments, and acknowledges it at once unless `bareAcks` is off. */
  send(side: Side, data: string | Uint8Array): this {
    const bytes = toBytes(data)
    for (let at = 0; at < bytes.length; at += this.#segmentBytes) {
      this.#push(side, ACK | PSH, bytes.subarray(at, at + this.#segmentBytes))
    }
    return this.#bareAcks && bytes.length > 0 ? this.ack(other(side)) : this
  }

  /** Acknowledges everything sent so far. */
  ack(side: Side): this {
    this.#push(side, ACK, new Uint8Array(0))
    return this
  }

  fin(side: Side): this {
    this.#push(side, FIN | ACK, new Uint8Array(0))
    return this
  }

  /** The last segment, which `side` sent with data, carries its FIN too. */
  finWithData(side: Side): this {
    const last = this.segments.findLast(
      ({ fromClient, payload }) => fromClient === (side === 'client') && payload.length > 0,
    )
    if (last === undefined) throw new Error(`the ${side} has sent nothing`)
    last.flags |= FIN
    this.#next[side] = (this.#next[side] + 1) >>> 0
    return this
  }

  reset(side: Side): this {
    this.#push(side, RST | ACK, new Uint8Array(0))
    return this
  }

  /** Both endpoints close, the client first. */
  close(): this {
    return this.fin('client').fin('server').ack('client')
  }

  wait(micros: number): this {
    this.micros += micros
    return this
  }

  /** The side sends bytes that are not captured. */
  skip(side: Side, bytes: number): this {
    this.#next[side] = (this.#next[side] + bytes) >>> 0
    return this
  }

  /** The next sequence number of a side. */
  next(side: Side): number {
    return this.#next[side]
  }

  /** Adds a segment with the expected numbers, overridden by `parts`, without advancing the script. */
  stray(side: Side, parts: Partial<Segment>): this {
    this.segments.push({
      fromClient: side === 'client',
      seq: this.#next[side],
      ack: this.#received[other(side)],
      flags: ACK,
      payload: new Uint8Array(0),
      micros: this.micros,
      ...parts,
    })
    this.micros += this.#step
    return this
  }

  #push(side: Side, flags: number, payload: Uint8Array, ack = this.#next[other(side)]): void {
    if ((flags & ACK) !== 0) this.#received[other(side)] = ack
    this.segments.push({
      fromClient: side === 'client',
      seq: this.#next[side],
      ack,
      flags,
      payload,
      micros: this.micros,
    })
    this.micros += this.#step
    const length = payload.length + ((flags & (SYN | FIN)) !== 0 ? 1 : 0)
    this.#next[side] = (this.#next[side] + length) >>> 0
  }
}

const other = (side: Side): Side => (side === 'client' ? 'server' : 'client')

/** Splits a segment into pieces of at most `size` bytes of payload; SYN stays on the first, FIN on the last. */
export function cut(segment: Segment, size: number): Segment[] {
  const { payload, flags } = segment
  if (payload.length <= size) return [segment]
  const pieces: Segment[] = []
  for (let at = 0; at < payload.length; at += size) {
    const last = at + size >= payload.length
    pieces.push({
      ...segment,
      seq: (segment.seq + at) >>> 0,
      flags: flags & ~((at > 0 ? SYN : 0) | (last ? 0 : FIN)),
      payload: payload.subarray(at, at + size),
    })
  }
  return pieces
}

/** Splits every segment of one side. */
export function cutAll(segments: readonly Segment[], clientBytes: number, serverBytes: number): Segment[] {
  return segments.flatMap((segment) => cut(segment, segment.fromClient ? clientBytes : serverBytes))
}
