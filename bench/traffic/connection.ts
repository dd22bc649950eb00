/** One TCP connection of a trace, from handshake to FIN, with both ends' sequence numbers. */
import type { Random } from './random.ts'
import { ACK, FIN, PUSH, type Segment, SYN, type TraceWriter } from './trace-writer.ts'

/** Payload of a full segment on Ethernet with timestamps. */
const MAX_SEGMENT = 1448
const SERVER_PORT = 8080

/** One end: its address and the next sequence number it sends. */
interface End {
  address: number
  port: number
  next: number
}

export class Connection {
  readonly #writer: TraceWriter
  readonly #random: Random
  readonly #client: End
  readonly #server: End

  /**
   * Opens it: the handshake is written.
   *
   * @param number makes the client's port and address its own
   * @param halfOpen the server does not answer
   */
  constructor(writer: TraceWriter, random: Random, number: number, halfOpen = false) {
    this.#writer = writer
    this.#random = random
    // 10.0.0.0/16 and 10.100.0.0/24; 64,000 ports, then the next address.
    const client = 0x0a000000 + ((Math.floor(number / 64_000) * 251 + random.below(0x4000) * 4) & 0xffff)
    this.#client = { address: client, port: 1024 + (number % 64_000), next: random.below(2 ** 32) }
    this.#server = { address: 0x0a640000 + random.below(256), port: SERVER_PORT, next: random.below(2 ** 32) }
    this.#segment(this.#client, SYN, 1)
    if (halfOpen) return
    this.#segment(this.#server, SYN | ACK, 1)
    this.#segment(this.#client, ACK, 0)
  }

  /**
   * The client's or the server's next message, cut into segments, every second one acknowledged.
   *
   * @param reorder share of messages of several segments of which two neighbours change places
   */
  send(by: 'client' | 'server', message: Buffer, reorder: number): void {
    const [from, to] = by === 'client' ? [this.#client, this.#server] : [this.#server, this.#client]
    const count = Math.ceil(message.length / MAX_SEGMENT)
    const swapped = count > 1 && this.#random.chance(reorder) ? this.#random.below(count - 1) : -1
    for (let i = 0; i < count; i++) {
      const place = i === swapped ? i + 1 : i === swapped + 1 && swapped >= 0 ? i - 1 : i
      const start = place * MAX_SEGMENT
      const end = Math.min(message.length, start + MAX_SEGMENT)
      this.#writer.segment(this.#headers(from, from.next + start, to.next, PUSH | ACK), message, start, end)
      if (i % 2 === 1) this.#writer.segment(this.#headers(to, to.next, from.next + end, ACK))
    }
    from.next += message.length
  }

  /** Leaves the sender's next bytes out of the trace. @param bytes below 0: the next segments overlap earlier ones */
  lose(by: 'client' | 'server', bytes: number): void {
    const from = by === 'client' ? this.#client : this.#server
    from.next += bytes
  }

  /** The client acknowledges all it has. */
  acknowledge(): void {
    this.#segment(this.#client, ACK, 0)
  }

  /** Both ends close. */
  close(): void {
    this.#segment(this.#client, FIN | ACK, 1)
    this.#segment(this.#server, FIN | ACK, 1)
    this.#segment(this.#client, ACK, 0)
  }

  /** A segment without payload. @param uses sequence numbers that it uses */
  #segment(from: End, flags: number, uses: number): void {
    const to = from === this.#client ? this.#server : this.#client
    this.#writer.segment(this.#headers(from, from.next, (flags & ACK) === 0 ? 0 : to.next, flags))
    from.next += uses
  }

  #headers(from: End, sequence: number, acknowledged: number, flags: number): Segment {
    const to = from === this.#client ? this.#server : this.#client
    return { from: from.address, fromPort: from.port, to: to.address, toPort: to.port, sequence, acknowledged, flags }
  }
}
