/** The TCP half of the assembler alone: it receives segments, and delivers in-order bytes, gaps and ends. */
import { flowHash } from '../../../src/capture/intake/flow-hash.ts'
import { ASSEMBLE_COUNTERS, allocateCounters } from '../../../src/ledger/counters.ts'
import { count, type Ledger, sumLedger } from '../../../src/ledger/ledger.ts'
import { type Link, layFrame } from '../../support/tcp-frames.ts'
import type { Segment, TcpScript } from '../../support/tcp-script.ts'
import { continueAt, fromServer, handshake } from './raw-segments.ts'
import { TcpProgram, type TcpProgramOptions } from './tcp-program.ts'

const ETHERNET_BYTES = 14
const CLIENT_UNKNOWN = 2

/** The data of one connection: the text of each stream, with `[n]` for a gap of n bytes. */
export interface Delivered {
  client: string
  server: string
  /** How each stream ended, an END_ value; -1 while it is open. */
  clientEnd: number
  serverEnd: number
  released: boolean
  ambiguous: boolean
}

export class TcpHarness {
  /** In the order of the connections. */
  readonly connections: Delivered[] = []
  readonly #tcp: TcpProgram
  readonly #counts = allocateCounters(ASSEMBLE_COUNTERS)
  readonly #byFlow = new Map<number, Delivered>()

  constructor(options: TcpProgramOptions = {}) {
    this.#tcp = new TcpProgram(
      {
        ownerData: (flow, direction, at, end, seq) => this.#data(flow, direction, at, end, seq),
        ownerGap: (flow, direction, bytes) => this.#gap(flow, direction, bytes),
        ownerAmbiguous: (flow) => {
          this.#of(flow).ambiguous = true
        },
        ownerEnd: (flow, direction, how) => this.#end(flow, direction, how),
        ownerRelease: (flow) => this.#release(flow),
      },
      options,
    )
  }

  /** Releases the memory for other harnesses. No method may be called afterwards. */
  recycle(): void {
    this.#tcp.recycle()
  }

  get flows(): { size: number; visits: number } {
    return { size: this.#tcp.exports.flowCount(), visits: this.#tcp.exports.lookupVisits() }
  }

  endInterface(id: number): void {
    this.#tcp.exports.endInterface(id)
  }

  get pool(): { usedBytes: number } {
    return { usedBytes: this.#tcp.exports.usedBytes() }
  }

  /** Additional records in use. */
  get rareStates(): number {
    return this.#tcp.exports.rareStatesUsed()
  }

  get pieces(): { visits: number } {
    return { visits: this.#tcp.exports.pieceVisits() }
  }

  /** @param domain network namespace, and @param network virtual network, that the frame was captured in */
  segment(segment: Segment, link: Link = {}, domain = 0, network = 0): this {
    const { bytes, micros } = layFrame(segment, link)
    this.#tcp.bytes.set(bytes, this.#tcp.input)
    const ip = this.#tcp.input + ETHERNET_BYTES
    const version = this.#tcp.view.getUint8(ip) >> 4
    const tcp = ip + (version === 4 ? 20 : 40)
    const hash = flowHash(this.#tcp.view, version, ip, tcp, 0)
    this.#tcp.exports.setMicros(micros)
    this.#tcp.exports.segment(ip, tcp, this.#tcp.input + bytes.length, link.interfaceId ?? 0, domain, network, hash, 0)
    return this
  }

  segments(segments: readonly Segment[], link?: Link, domain?: number, network?: number): this {
    for (const segment of segments) this.segment(segment, link, domain, network)
    return this
  }

  script(script: TcpScript, link?: Link): this {
    return this.segments(script.segments, link)
  }

  /** Advances packet time without a packet. */
  tick(micros: number): this {
    this.#tcp.exports.setMicros(micros)
    this.#tcp.exports.advance()
    return this
  }

  finish(): this {
    this.#tcp.exports.endAll()
    return this
  }

  get ledger(): Ledger {
    this.#counts.set(this.#tcp.counts)
    return sumLedger([{ layout: ASSEMBLE_COUNTERS, values: this.#counts }])
  }

  count(path: string): number {
    return count(this.ledger, path)
  }

  /** The only connection. */
  get only(): Delivered {
    const [first, ...rest] = this.connections
    if (first === undefined || rest.length > 0) throw new Error(`${this.connections.length} connections`)
    return first
  }

  #data(flow: number, direction: number, at: number, end: number, seq: number): void {
    const expected = (this.#tcp.exports.nextSeqOf(flow, direction) - (end - at)) | 0
    if (seq !== expected) throw new Error(`sequence number ${seq}, not ${expected}`)
    const text = Buffer.from(this.#tcp.bytes.subarray(at, end)).toString('latin1')
    this.#add(flow, direction, text)
  }

  #gap(flow: number, direction: number, bytes: number): void {
    if (bytes <= 0) throw new Error(`a gap of ${bytes} bytes`)
    this.#add(flow, direction, `[${bytes}]`)
  }

  #end(flow: number, direction: number, how: number): void {
    const delivered = this.#of(flow)
    const end = this.#isClient(flow, direction) ? 'clientEnd' : 'serverEnd'
    if (delivered[end] !== -1) throw new Error('a stream ended twice')
    delivered[end] = how
  }

  #release(flow: number): void {
    this.#of(flow).released = true
    this.#byFlow.delete(flow)
  }

  #add(flow: number, direction: number, text: string): void {
    const delivered = this.#of(flow)
    const client = this.#isClient(flow, direction)
    if (delivered[client ? 'clientEnd' : 'serverEnd'] !== -1) throw new Error('bytes after the end')
    delivered[client ? 'client' : 'server'] += text
  }

  /** Without a handshake, `CLIENT` is recognised as the client because it sorts lower. */
  #isClient(flow: number, direction: number): boolean {
    const client = this.#tcp.exports.clientOf(flow)
    return direction === (client === CLIENT_UNKNOWN ? 0 : client)
  }

  #of(flow: number): Delivered {
    let delivered = this.#byFlow.get(flow)
    if (delivered === undefined) {
      delivered = { client: '', server: '', clientEnd: -1, serverEnd: -1, released: false, ambiguous: false }
      this.#byFlow.set(flow, delivered)
      this.connections.push(delivered)
    }
    return delivered
  }
}

/** The data of a script's connection, from the first segment to the end of the input. */
export function deliver(input: TcpScript | readonly Segment[], options?: TcpProgramOptions): Delivered {
  const segments = 'segments' in input ? input.segments : input
  const tcp = new TcpHarness(options).segments(segments).finish()
  const { only } = tcp
  tcp.recycle()
  return only
}

/** A connection whose handshake was captured, and these segments of it. */
export const harness = (...segments: Segment[]): TcpHarness => new TcpHarness().segments([...handshake(), ...segments])

/** Segments of the connection after which an acknowledged hole is a gap, and the packet time that they span. */
export const later = (tcp: TcpHarness, acks = 0): TcpHarness => {
  for (let i = 0; i < 4; i++) tcp.segment(fromServer(0, '', { acks }))
  return tcp
}
/** As `harness`, but the next segment is captured more than a millisecond later. */
export const patient = (...segments: Segment[]): TcpHarness => {
  const tcp = harness(...segments)
  continueAt(Math.max(...segments.map(({ micros }) => micros)) + 2000)
  return tcp
}
