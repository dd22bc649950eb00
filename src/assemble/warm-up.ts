/**
 * Runs synthetic traffic through a temporary assembler, so that live capture does not begin with cold code, which is up to ten
 * times slower. The first of a few rounds runs at once and the others after rests, because the start should cost little CPU time.
 * The rounds end as soon as real frames wait, which warm the code up as well. File input needs no warm-up: its reader waits.
 * bench/README.md has the figures.
 *
 * The traffic has the shapes that are common on the wire: small and large heads, counted and chunked bodies, several
 * segments, some out of order, both IP versions.
 */
import { ASSEMBLE_COUNTERS, allocateCounters } from '../ledger/counters.ts'
import { FLAG_ACK, FLAG_FIN, FLAG_SYN } from '../net/tcp-header.ts'
import {
  align8,
  END_OFFSET_AT,
  FLOW_HASH_AT,
  FRAME,
  FRAME_FIELDS_BYTES,
  INTERFACE_ID_AT,
  IP_OFFSET_AT,
  LENGTH_AT,
  MARK_AT,
  MICROS_AT,
  NETWORK_AT,
  TAG_AT,
  TCP_OFFSET_AT,
} from '../ring/layout.ts'
import { Assembler } from './assembler.ts'
import type { AssemblerOptions } from './assembler-options.ts'
import type { ProgramMemory } from './host/memory.ts'
import type { PairSink } from './pair-sink.ts'

/** Rounds of 256 exchanges. After the first one every function has run with common values. */
const MOST_ROUNDS = 5
/** Connections open at the same time, so that queues, lists and buckets hold several. */
const FLOWS = 64
/** Distinct client ports. */
const PORTS = 1500
/** Memory for the state of about as many connections, and of their exchanges. */
const STATE_BYTES = 1024 * 1024
const SEGMENT_BYTES = 1400

const FIELDS =
  'Host: warm.example:8080\r\nUser-Agent: warm-up/1.0\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n' +
  `X-Request-Id: 0123456789abcdef0123456789abcdef\r\nAuthorization: Bearer ${'0123456789abcdef'.repeat(10)}\r\n` +
  `Cookie: ${'k=v; '.repeat(60)}z\r\n`
const ANSWER_FIELDS =
  'Date: Mon, 23 Nov 2026 00:00:00 GMT\r\nContent-Type: application/json; charset=utf-8\r\nServer: warm-up\r\n' +
  'Cache-Control: no-store\r\nVary: Accept-Encoding\r\nConnection: keep-alive\r\n'

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

const body = (size: number): string => `{"warm":"${'x'.repeat(size)}"}`
const counted = (text: string): string => `Content-Length: ${text.length}\r\n\r\n${text}`
const chunked = (text: string): string =>
  `Transfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`

/** Requests and their responses. */
const EXCHANGES: readonly (readonly [Uint8Array, Uint8Array])[] = [
  [`GET /warm HTTP/1.1\r\nHost: w\r\n\r\n`, `HTTP/1.1 200 OK\r\n${ANSWER_FIELDS}${counted(body(900))}`],
  [`GET /warm/1?page=2 HTTP/1.1\r\n${FIELDS}\r\n`, `HTTP/1.1 200 OK\r\n${ANSWER_FIELDS}${counted(body(4000))}`],
  [
    `POST /warm HTTP/1.1\r\n${FIELDS}${counted(body(3000))}`,
    `HTTP/1.1 201 Created\r\n${ANSWER_FIELDS}${chunked(body(3000))}`,
  ],
  [`GET /metrics HTTP/1.1\r\n${FIELDS}\r\n`, `HTTP/1.1 404 Not Found\r\n${ANSWER_FIELDS}${counted('no')}`],
].map(([request, response]) => [bytesOf(request as string), bytesOf(response as string)] as const)

/**
 * @param memory the one that the real assembler will use
 * @param sink of the same class as the real one, over a ring of its own
 * @param rest called between two rounds: empties that ring, and rests; returns false when no further round is wanted
 */
export function warmUpAssembler(
  memory: ProgramMemory,
  options: AssemblerOptions,
  sink: PairSink,
  rest: () => boolean,
): void {
  const bounds = { flows: PORTS, stateBytes: STATE_BYTES }
  const assembler = new Assembler(memory, { ...options, ...bounds }, allocateCounters(ASSEMBLE_COUNTERS), sink)
  assembler.addInterface(0, { name: 'warm-up', vantage: 'host', mesh: null, domain: 0, vantagePoint: null })
  const traffic = new Traffic(assembler)
  for (let round = 0; round < MOST_ROUNDS && (round === 0 || rest()); round++) traffic.round(round)
  assembler.finish()
}

/** Writes frame records (ring/layout.ts) into the assembler's input. */
class Traffic {
  readonly #assembler: Assembler
  readonly #view: DataView
  readonly #bytes: Uint8Array
  #at = 0
  #micros = 1e15
  #ipv6 = false
  #port = 0
  #flow = 0
  /** Next sequence number of each side of each flow. */
  readonly #seqs = new Int32Array(2 * FLOWS)

  constructor(assembler: Assembler) {
    this.#assembler = assembler
    this.#bytes = assembler.input
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength)
  }

  /** Opens FLOWS connections, runs every exchange on all of them in parallel, and closes most of them. */
  round(round: number): void {
    this.#eachFlow(round, (flow) => {
      this.#seqs[2 * flow] = round * 100_003
      this.#seqs[2 * flow + 1] = round * 200_017
      this.#control(0, FLAG_SYN)
      this.#control(1, FLAG_SYN | FLAG_ACK)
    })
    for (const [request, response] of EXCHANGES) {
      this.#eachFlow(round, () => this.#message(0, request, false))
      this.#eachFlow(round, (flow) => {
        this.#message(1, response, flow % 8 === 5)
        this.#segment(0, this.#seqs[2 * flow], FLAG_ACK, request, 0, 0)
      })
    }
    this.#eachFlow(round, (flow) => {
      if (flow % 8 === 7) return
      this.#control(0, FLAG_FIN | FLAG_ACK)
      this.#control(1, FLAG_FIN | FLAG_ACK)
    })
    this.flush()
  }

  #eachFlow(round: number, act: (flow: number) => void): void {
    for (let flow = 0; flow < FLOWS; flow++) {
      this.#flow = flow
      this.#ipv6 = flow % 4 === 3
      this.#port = 20_000 + ((round * FLOWS + flow) % PORTS)
      act(flow)
    }
  }

  /** Has the assembler process the records written so far. */
  flush(): void {
    this.#assembler.consume(this.#assembler.wholeRecords(this.#at))
    this.#at = 0
  }

  #control(side: 0 | 1, flags: number): void {
    this.#segment(side, this.#seqs[2 * this.#flow + side], flags, EXCHANGES[0][0], 0, 0)
    this.#seqs[2 * this.#flow + side] += 1
  }

  #message(side: 0 | 1, message: Uint8Array, swapped: boolean): void {
    const start = this.#seqs[2 * this.#flow + side]
    const count = Math.ceil(message.length / SEGMENT_BYTES)
    for (let i = 0; i < count; i++) {
      const from = (swapped && count > 2 && i > 0 && i < 3 ? 3 - i : i) * SEGMENT_BYTES
      const to = Math.min(from + SEGMENT_BYTES, message.length)
      this.#segment(side, (start + from) | 0, FLAG_ACK, message, from, to)
    }
    this.#seqs[2 * this.#flow + side] = start + message.length
  }

  #segment(side: 0 | 1, seq: number, flags: number, message: Uint8Array, from: number, to: number): void {
    const ipBytes = this.#ipv6 ? 40 : 20
    const length = FRAME_FIELDS_BYTES + ipBytes + 20 + to - from
    if (this.#at + align8(length) > this.#bytes.length) this.flush()
    const at = this.#at
    const view = this.#view
    const ip = at + FRAME_FIELDS_BYTES
    const tcp = ip + ipBytes
    view.setInt32(at + LENGTH_AT, align8(length), true)
    view.setInt32(at + TAG_AT, FRAME, true)
    view.setFloat64(at + MICROS_AT, ++this.#micros, true)
    view.setInt32(at + FLOW_HASH_AT, Math.imul(this.#port, 0x9e3779b1), true)
    view.setInt32(at + INTERFACE_ID_AT, 0, true)
    view.setUint16(at + IP_OFFSET_AT, FRAME_FIELDS_BYTES, true)
    view.setUint16(at + TCP_OFFSET_AT, FRAME_FIELDS_BYTES + ipBytes, true)
    view.setUint32(at + END_OFFSET_AT, length, true)
    view.setInt32(at + NETWORK_AT, 0, true)
    view.setInt32(at + MARK_AT, 0, true)
    this.#bytes.fill(0, ip, tcp + 20)
    this.#addresses(ip, side)
    view.setUint16(tcp + side * 2, this.#port)
    view.setUint16(tcp + 2 - side * 2, 8080)
    view.setInt32(tcp + 4, seq)
    view.setInt32(tcp + 8, this.#seqs[2 * this.#flow + 1 - side])
    view.setUint8(tcp + 12, 0x50)
    view.setUint8(tcp + 13, flags)
    this.#bytes.set(message.subarray(from, to), tcp + 20)
    this.#at += align8(length)
  }

  /** 10.0.0.1 and 10.0.0.2, or fd00::1 and fd00::2; lengths and checksums are not checked. */
  #addresses(ip: number, side: 0 | 1): void {
    const view = this.#view
    view.setUint8(ip, this.#ipv6 ? 0x60 : 0x45)
    const [source, target, first] = this.#ipv6 ? [ip + 8, ip + 24, 0xfd000000] : [ip + 12, ip + 16, 0x0a000000]
    const last = this.#ipv6 ? 12 : 0
    view.setUint32(source, first)
    view.setUint32(target, first)
    view.setUint8(source + last + 3, 1 + side)
    view.setUint8(target + last + 3, 2 - side)
  }
}
