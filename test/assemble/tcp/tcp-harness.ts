/** The TCP half of the assembler alone: segments in; in-order bytes, gaps and ends out. */

import { Arena } from '../../../src/assemble/memory/arena.ts'
import { CellPool } from '../../../src/assemble/memory/cell-pool.ts'
import { PacketTime } from '../../../src/assemble/packet-time.ts'
import type { Direction, Flow } from '../../../src/assemble/tcp/flow.ts'
import type { FlowOwner } from '../../../src/assemble/tcp/flow-owner.ts'
import { FlowTable } from '../../../src/assemble/tcp/flow-table.ts'
import { HeldPieces } from '../../../src/assemble/tcp/held-pieces.ts'
import { Reassembler, type StreamConsumer } from '../../../src/assemble/tcp/reassembler.ts'
import { ConnectionTracker } from '../../../src/assemble/tcp/tracker.ts'
import { flowHash } from '../../../src/capture/intake/flow-hash.ts'
import { ASSEMBLE_COUNTERS, allocateCounters } from '../../../src/ledger/counters.ts'
import { count, type Ledger, sumLedger } from '../../../src/ledger/ledger.ts'
import { type Link, layFrame } from '../../support/tcp-frames.ts'
import type { Segment, TcpScript } from '../../support/tcp-script.ts'
import { continueAt, fromServer, handshake } from './raw-segments.ts'

const ETHERNET_BYTES = 14
const INPUT_BYTES = 70_000

/** What one connection delivered: text of each stream with `[n]` for a gap of n bytes. */
export interface Delivered {
  client: string
  server: string
  /** How each stream ended, an END_ value; -1 while it has not. */
  clientEnd: number
  serverEnd: number
  released: boolean
  ambiguous: boolean
}

export interface TcpHarnessOptions {
  poolBytes?: number
  flows?: number
  idleMicros?: number
  /** Flows at rest that stay objects. */
  resting?: number
}

/** Memories of finished harnesses by the sizes of their pools: making one costs more than most scripts. */
const spareArenas = new Map<number, Arena[]>()

export class TcpHarness implements StreamConsumer, FlowOwner {
  opened = (): void => {}
  checksHopLimit = (): boolean => false
  hopLimit = (): void => {}
  evictOldest = (): boolean => false
  expire = (): void => {}
  begins = (): void => {}
  beginsRequest = (): boolean => false
  park = (): boolean => true
  unpark = (): void => {}
  readonly crowded = false
  readonly longestWaiting = null
  /** In the order of the connections. */
  readonly connections: Delivered[] = []
  readonly tracker: ConnectionTracker
  readonly pool: CellPool
  readonly pieces: HeldPieces
  readonly flows: FlowTable
  readonly #arena: Arena
  readonly #time = new PacketTime()
  readonly #counts = allocateCounters(ASSEMBLE_COUNTERS)
  readonly #bySerial = new Map<number, Delivered>()

  constructor(options: TcpHarnessOptions = {}) {
    const { poolBytes = 8 * 1024 * 1024, flows = 1000, idleMicros = 600_000_000, resting } = options
    this.#arena = spareArenas.get(poolBytes)?.pop() ?? new Arena(INPUT_BYTES, 0, 0, poolBytes)
    this.pool = new CellPool(this.#arena)
    this.pieces = new HeldPieces(this.#arena, this.pool)
    this.flows = new FlowTable(this.#arena, this.#time, flows, flows, resting)
    const reassembler = new Reassembler(this.pieces, this.flows, this.#counts, this.#time, this)
    this.tracker = new ConnectionTracker(
      this.#arena,
      this.pool,
      this.#counts,
      this.#time,
      reassembler,
      this,
      this.flows,
      idleMicros,
    )
  }

  /** @param domain network namespace, and @param network virtual network, that the frame was captured in */
  segment(segment: Segment, link: Link = {}, domain = 0, network = 0): this {
    const { bytes, micros } = layFrame(segment, link)
    const arena = this.#arena
    arena.bytes.set(bytes, arena.input)
    const ip = arena.input + ETHERNET_BYTES
    const version = arena.view.getUint8(ip) >> 4
    const tcp = ip + (version === 4 ? 20 : 40)
    const hash = flowHash(arena.view, version, ip, tcp, 0)
    this.#time.micros = micros
    this.tracker.segment(ip, tcp, arena.input + bytes.length, link.interfaceId ?? 0, domain, network, hash, 0)
    return this
  }

  segments(segments: readonly Segment[], link?: Link, domain?: number, network?: number): this {
    for (const segment of segments) this.segment(segment, link, domain, network)
    return this
  }

  script(script: TcpScript, link?: Link): this {
    return this.segments(script.segments, link)
  }

  /** Packet time without a packet. */
  tick(micros: number): this {
    this.#time.micros = micros
    this.tracker.advance()
    return this
  }

  finish(): this {
    this.tracker.endAll()
    const { poolBytes } = this.#arena
    const spare = spareArenas.get(poolBytes) ?? []
    if (!spare.includes(this.#arena)) spareArenas.set(poolBytes, [...spare, this.#arena])
    return this
  }

  get ledger(): Ledger {
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

  data(flow: Flow, direction: Direction, at: number, end: number, seq: number): void {
    const expected = (flow.streams[direction].nextSeq - (end - at)) | 0
    if (seq !== expected) throw new Error(`sequence number ${seq}, not ${expected}`)
    const text = Buffer.from(this.#arena.bytes.subarray(at, end)).toString('latin1')
    this.#add(flow, direction, text)
  }

  gap(flow: Flow, direction: Direction, bytes: number): void {
    if (bytes <= 0) throw new Error(`a gap of ${bytes} bytes`)
    this.#add(flow, direction, `[${bytes}]`)
  }

  ambiguous(flow: Flow): void {
    this.#of(flow).ambiguous = true
  }

  end(flow: Flow, direction: Direction, how: number): void {
    const delivered = this.#of(flow)
    const end = this.#isClient(flow, direction) ? 'clientEnd' : 'serverEnd'
    if (delivered[end] !== -1) throw new Error('a stream ended twice')
    delivered[end] = how
  }

  release(flow: Flow): void {
    this.#of(flow).released = true
    this.#bySerial.delete(flow.serial)
  }

  #add(flow: Flow, direction: Direction, text: string): void {
    const delivered = this.#of(flow)
    const client = this.#isClient(flow, direction)
    if (delivered[client ? 'clientEnd' : 'serverEnd'] !== -1) throw new Error('bytes after the end')
    delivered[client ? 'client' : 'server'] += text
  }

  #isClient(flow: Flow, direction: Direction): boolean {
    return direction === (flow.clientDirection === -1 ? this.#lower : flow.clientDirection)
  }

  /** Without a handshake: the client of `CLIENT` and `SERVER` sorts lower. */
  get #lower(): Direction {
    return 0
  }

  #of(flow: Flow): Delivered {
    let delivered = this.#bySerial.get(flow.serial)
    if (delivered === undefined) {
      delivered = { client: '', server: '', clientEnd: -1, serverEnd: -1, released: false, ambiguous: false }
      this.#bySerial.set(flow.serial, delivered)
      this.connections.push(delivered)
    }
    return delivered
  }
}

/** What a script's connection delivers, from the first segment to the end of the input. */
export function deliver(input: TcpScript | readonly Segment[], options?: TcpHarnessOptions): Delivered {
  const segments = 'segments' in input ? input.segments : input
  return new TcpHarness(options).segments(segments).finish().only
}

/** A connection whose handshake was captured, and these segments of it. */
export const harness = (...segments: Segment[]): TcpHarness => new TcpHarness().segments([...handshake(), ...segments])

/** Segments of the connection after which an acknowledged hole is a gap, and the packet time that they span. */
export const later = (tcp: TcpHarness, acks = 0): TcpHarness => {
  for (let i = 0; i < 4; i++) tcp.segment(fromServer(0, '', { acks }))
  return tcp
}
/** As `harness`; what comes next is captured more than a millisecond later. */
export const patient = (...segments: Segment[]): TcpHarness => {
  const tcp = harness(...segments)
  continueAt(Math.max(...segments.map(({ micros }) => micros)) + 2000)
  return tcp
}
