/**
 * Converts frames to pairs and a ledger with the parts used in production: intake, frame ring and assembler. There are
 * no threads, so a test decides what arrives when.
 *
 * `finish` checks the laws of the ledger, and every pair against its schema.
 */
import assert from 'node:assert/strict'
import { Assembler, assemblerMemory } from '../../src/assemble/assembler.ts'
import type { AssemblerOptions } from '../../src/assemble/assembler-options.ts'
import type { ProgramMemory } from '../../src/assemble/host/memory.ts'
import type { PairSink } from '../../src/assemble/pair-sink.ts'
import { RingSource } from '../../src/assemble/record-source.ts'
import { Intake } from '../../src/capture/intake/intake.ts'
import { defaultConfig } from '../../src/config/load.ts'
import { ASSEMBLE_COUNTERS, allocateCounters, CAPTURE_COUNTERS, SHIP_COUNTERS } from '../../src/ledger/counters.ts'
import { count, type Ledger, sumLedger } from '../../src/ledger/ledger.ts'
import type { Pair } from '../../src/pair/pair.ts'
import { unpackPair } from '../../src/pair/unpack.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { LENGTH_AT, PAIR_FIELDS_BYTES, PAIR_LENGTH_AT } from '../../src/ring/layout.ts'
import { OpaqueMarks } from '../../src/ring/opaque-marks.ts'
import type { PairSelector } from '../../src/select/selector.ts'
import type { InterfaceInfo } from '../../src/target/interface-info.ts'
import { Control } from '../../src/thread/control.ts'
import { assertLaws } from './ledger.ts'
import { encodeFrames, type Frame, type Link } from './tcp-frames.ts'
import type { Segment, TcpScript } from './tcp-script.ts'

const LINKTYPE_ETHERNET = 1
const RING_BYTES = 512 * 1024

export interface HarnessOptions extends Partial<AssemblerOptions> {
  interfaces?: InterfaceInfo[]
  /** Receives each pair; default: it is unpacked and collected. */
  onPair?: (bytes: Uint8Array) => void
  /** Whether pairs are only counted: there are their lengths then, and no pairs. Default: false. */
  onlyCounts?: boolean
  /** Of the option `selection`. */
  selector?: PairSelector | null
  /** Whether payload that is not needed is left out, as in live capture. Default: true. */
  marked?: boolean
}

export interface AssembleRun {
  pairs: Pair[]
  ledger: Ledger
}

export const HOST_INTERFACE: InterfaceInfo = {
  name: 'eth0',
  vantage: 'host',
  mesh: null,
  domain: 0,
  vantagePoint: null,
}

/** Memories and empty rings of finished harnesses by size, because creating them costs more than most scripts. */
const spareMemories = new Map<string, ProgramMemory[]>()
const spareRings: SharedArrayBuffer[] = []
const spareMarks: SharedArrayBuffer[] = []

const sizesOf = ({ messageBytes, pairBytes, poolBytes, stateBytes, flows }: AssemblerOptions): string =>
  `${messageBytes} ${pairBytes} ${poolBytes} ${stateBytes} ${flows}`

export class AssembleHarness {
  readonly pairs: Pair[] = []
  readonly pairLengths: number[] = []
  /** Bytes that have passed the frame ring. */
  ringBytes = 0
  readonly #memory: ProgramMemory
  readonly #options: AssemblerOptions
  readonly assembler: Assembler
  readonly #assembleCounts = allocateCounters(ASSEMBLE_COUNTERS)
  readonly #captureCounts = allocateCounters(CAPTURE_COUNTERS)
  readonly #shipCounts = allocateCounters(SHIP_COUNTERS)
  readonly #intake: Intake
  readonly #ring: SharedArrayBuffer
  readonly #consumer: RingConsumer
  readonly #source: RingSource
  readonly #markWords: SharedArrayBuffer
  readonly #marks: OpaqueMarks | null

  constructor({
    interfaces = [HOST_INTERFACE],
    onPair,
    onlyCounts = false,
    selector = null,
    marked = true,
    ...options
  }: HarnessOptions = {}) {
    this.#markWords = spareMarks.pop() ?? OpaqueMarks.allocate()
    this.#marks = marked ? new OpaqueMarks(this.#markWords) : null
    this.#marks?.clear()
    const bell = new Doorbell(Doorbell.allocate())
    const ring = spareRings.pop() ?? allocateRing(RING_BYTES)
    this.#ring = ring
    this.#consumer = new RingConsumer(ring, null)
    this.#intake = new Intake({
      rings: [new RingProducer(ring, bell)],
      counters: this.#captureCounts,
      whenFull: 'drop',
      bell,
      marks: this.#marks === null ? [] : [this.#marks],
      control: new Control(Control.allocate()),
    })
    const take = onPair ?? ((bytes: Uint8Array) => this.#remember(bytes))
    const all = assemblerOptions(options)
    const memory = spareMemories.get(sizesOf(all))?.pop() ?? assemblerMemory(all)
    this.#memory = memory
    this.#options = all
    this.#source = new RingSource(this.#consumer, memory, this.#marks)
    const sink: PairSink = {
      onlyCounts,
      emit: (start, end) => {
        for (let record = start; record < end; record += memory.view.getInt32(record + LENGTH_AT, true)) {
          const at = record + PAIR_FIELDS_BYTES
          const length = memory.view.getInt32(record + PAIR_LENGTH_AT, true)
          if (onlyCounts) this.pairLengths.push(length)
          else take(memory.bytes.subarray(at, at + length))
          this.#shipCounts[SHIP_COUNTERS.index.shipped]++
        }
        return end
      },
    }
    this.assembler = new Assembler(memory, all, this.#assembleCounts, sink, () => {}, selector)
    for (const [id, info] of interfaces.entries()) this.#intake.addInterface(id, info)
    this.#drain()
  }

  /** Captures frames one by one, each processed before the next. */
  frames(frames: readonly Frame[]): this {
    for (const frame of frames) {
      this.#capture(frame)
      this.#drain()
    }
    return this
  }

  /** Captures frames that are read as one block, as many as fit into the ring at most. */
  block(frames: readonly Frame[]): this {
    for (const frame of frames) this.#capture(frame)
    this.#drain()
    return this
  }

  segments(segments: readonly Segment[], link?: Link): this {
    return this.frames(encodeFrames(segments, link))
  }

  script(script: TcpScript, link?: Link): this {
    return this.segments(script.segments, link)
  }

  tick(micros: number): this {
    this.#intake.stamp.micros = micros
    this.#intake.tick()
    this.#drain()
    return this
  }

  stepClock(micros: number): this {
    this.#intake.stepClock(micros)
    this.#drain()
    return this
  }

  removeInterface(id: number): this {
    this.#intake.removeInterface(id)
    this.#drain()
    return this
  }

  /** The current ledger. */
  get ledger(): Ledger {
    return sumLedger([
      { layout: CAPTURE_COUNTERS, values: this.#captureCounts },
      { layout: ASSEMBLE_COUNTERS, values: this.#assembleCounts },
      { layout: SHIP_COUNTERS, values: this.#shipCounts },
    ])
  }

  count(path: string): number {
    return count(this.ledger, path)
  }

  /** Ends the input. */
  finish(): AssembleRun {
    this.#intake.finish()
    this.#drain()
    this.assembler.finish()
    const { ledger } = this
    assertLaws(ledger)
    assert.equal(count(ledger, 'frames.dropped.ring'), 0, 'the harness lost a frame')
    assert.equal(this.assembler.heldBytes, 0, 'memory is still held after the end')
    const sizes = sizesOf(this.#options)
    const spare = spareMemories.get(sizes) ?? []
    if (!spare.includes(this.#memory)) {
      spareMemories.set(sizes, [...spare, this.#memory])
      spareRings.push(this.#ring)
      spareMarks.push(this.#markWords)
    }
    return { pairs: this.pairs, ledger }
  }

  #remember(bytes: Uint8Array): void {
    const pair = unpackPair(bytes.slice())
    if (pair instanceof Error) throw pair
    this.pairs.push(pair)
  }

  #capture({ bytes, micros, interfaceId }: Frame): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const { length } = bytes
    this.#intake.stamp.micros = micros
    this.#intake.frame(bytes, view, 0, length, length, LINKTYPE_ETHERNET, interfaceId)
  }

  #drain(): void {
    this.#intake.flush()
    this.ringBytes += this.#consumer.used
    for (;;) {
      const source = this.#source
      const length = source.next(this.assembler)
      if (length === 0) return
      source.release(length)
      this.assembler.consume(source.at, length, source.marks)
    }
  }
}

const { filter, limits } = defaultConfig()

export function assemblerOptions(options: Partial<AssemblerOptions>): AssemblerOptions {
  return {
    node: 'test',
    filter,
    everything: true,
    messageBytes: limits.messageBytes,
    pairBytes: limits.pairBytes,
    responseTimeoutMicros: limits.responseTimeout * 1000,
    incompleteResponses: false,
    idleTimeoutMicros: limits.idleTimeout * 1000,
    flows: 1000,
    keep: 'both',
    clusterNetworks: [],
    stateBytes: 16 * 1024 * 1024,
    poolBytes: 8 * 1024 * 1024,
    ...options,
  }
}

/** Runs segments or scripts in order, from the first frame to the end of the input. */
export function assemble(input: TcpScript | readonly Segment[], options?: HarnessOptions, link?: Link): AssembleRun {
  const segments = 'segments' in input ? input.segments : input
  return new AssembleHarness(options).segments(segments, link).finish()
}

/** A short description of each pair, such as `GET /a 200`. */
export const summary = (pairs: readonly Pair[]): string[] =>
  pairs.map(({ request, response }) => `${request.method} ${request.target} ${response.status}`)
