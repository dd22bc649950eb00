/**
 * Receives every frame of a capture worker, finds its TCP header, puts it into its assembler's queue, and counts the
 * result.
 *
 * Invariant, exact once `finish` has been called: seen = queued + Σ skipped + Σ dropped.
 * Thread: the capture worker's. No allocation per frame.
 */

import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { ALL_TUNNELS, type Tunnels } from '../../net/tunnels.ts'
import { RingLevel, type RingProducer } from '../../ring/byte-ring.ts'
import type { Doorbell } from '../../ring/doorbell.ts'
import type { FramePlace } from '../../ring/frame-place.ts'
import { CLOCK_STEP, FRAME_FIELDS_BYTES, INTERFACE, INTERFACE_GONE } from '../../ring/layout.ts'
import type { OpaqueMarks } from '../../ring/opaque-marks.ts'
import { discardPages } from '../../sys/release-memory.ts'
import type { InterfaceInfo } from '../../target/interface-info.ts'
import { COMMAND_STOP, type Control } from '../../thread/control.ts'
import type { FrameFilter } from '../filter/frame-filter.ts'
import { type Backlog, type FileSink, FrameStamp, type PcapRecords, type SheddingSink } from '../frame-sink.ts'
import { COMPLETE, FragmentTable, UNWANTED } from '../wire/fragments.ts'
import {
  FRAGMENT,
  MALFORMED,
  NON_TCP,
  PacketDecoder,
  TCP,
  UNKNOWN_LINK_TYPE,
  type Verdict,
} from '../wire/packet-decoder.ts'
import { assemblerOf, flowHash } from './flow-hash.ts'
import { FrameBytes } from './frame-bytes.ts'
import type { FrameQueue } from './frame-queue.ts'
import { FrameRingWriter } from './frame-ring-writer.ts'
import { LoadMeter } from './load-meter.ts'
import { PlacedFrameWriter } from './placed-frame-writer.ts'
import type { PlainFrames } from './plain-frames.ts'

const C = CAPTURE_COUNTERS.index

/** Offsets in a record have 16 bits. No real packet has longer headers before TCP. */
const MAX_HEADER_BYTES = 0xffff - FRAME_FIELDS_BYTES - 8

const NO_PAYLOAD = new Uint8Array(0)

/** Longest sleep while waiting for room, between two heartbeats and checks of the command. */
const WAIT_SLICE_MS = 100

export interface IntakeOptions {
  /** One frame ring per assembler, in slot order; none with `place`. */
  rings: RingProducer[]
  /** Where frames are put for the only assembler, which works in the same thread. Default: there are rings. */
  place?: FramePlace | null
  /** Describes plain frames in that place. Default: each frame is decoded. */
  plain?: PlainFrames | null
  /** A CAPTURE_COUNTERS block, until `countInto` sets another. */
  counters: Float64Array
  /** When a ring is full: `wait` for room (files), or `drop` the frame and shed connections for a while (live). */
  whenFull: 'wait' | 'drop'
  /** This thread's doorbell, rung when a ring has room again. */
  bell: Doorbell
  control: Control
  /** Tunnels to decode; default: all that are known, at their usual ports. */
  tunnels?: Tunnels
  /** Applied to each frame before it is decoded; default: none. */
  filter?: FrameFilter | null
  /** Secret of the flow hash; default: 0, for results that can be repeated. */
  secret?: number
  /** The rings behind the assemblers: when one runs full, connections are shed. Default: none. */
  pairRings?: readonly SharedArrayBuffer[]
  /**
   * For each ring, the connections whose payload its assembler does not need. Default: none, so that results do not
   * depend on timing.
   */
  marks?: readonly OpaqueMarks[]
  /** Milliseconds, for the load's periods; default: `performance.now`. */
  clock?: () => number
}

export class Intake implements SheddingSink, FileSink {
  readonly stamp = new FrameStamp()
  readonly #rings: readonly RingProducer[]
  readonly #queues: readonly FrameQueue[]
  #counters: Float64Array
  readonly #waits: boolean
  readonly #bell: Doorbell
  readonly #control: Control
  readonly #decoder: PacketDecoder
  readonly #fragments = new FragmentTable()
  readonly #load: LoadMeter
  readonly #filter: FrameFilter | null
  readonly #secret: number
  readonly #isPlaced: boolean
  readonly #plain: PlainFrames | null
  /** Frames of unreadable link types, by link type, since the last `drainUnread`. */
  #unread = new Map<number, number>()
  readonly #maxFrame: number
  /** Arguments of `#hasRoom`, kept in fields so that a wait allocates no closure. */
  #wantedQueue: FrameQueue
  #wantedBytes = 0
  readonly #hasRoom = (): boolean => this.#wantedQueue.hasRoom(this.#wantedBytes) || this.#stopped
  readonly #allWritten = (): boolean => this.#wantedQueue.writeWaiting() || this.#stopped

  constructor(options: IntakeOptions) {
    this.#rings = options.rings
    this.#queues = queuesOf(options, this.stamp)
    this.#wantedQueue = this.#queues[0]
    this.#counters = options.counters
    this.#waits = options.whenFull === 'wait'
    this.#bell = options.bell
    this.#control = options.control
    this.#filter = options.filter ?? null
    this.#secret = options.secret ?? 0
    this.#isPlaced = (options.place ?? null) !== null
    // A filter reads each frame.
    this.#plain = this.#filter === null ? (options.plain ?? null) : null
    this.#load = new LoadMeter({
      control: options.control,
      rings: options.rings,
      pairRings: (options.pairRings ?? []).map((ring) => new RingLevel(ring)),
      clock: options.clock ?? (() => performance.now()),
    })
    this.#decoder = new PacketDecoder(options.tunnels ?? ALL_TUNNELS)
    this.#maxFrame = Math.min(...this.#queues.map(({ maxFrame }) => maxFrame))
  }

  addInterface(id: number, info: InterfaceInfo): void {
    this.#announce(INTERFACE, id, new TextEncoder().encode(JSON.stringify(info)))
  }

  removeInterface(id: number): void {
    this.#announce(INTERFACE_GONE, id, NO_PAYLOAD)
  }

  plainFrames(records: PcapRecords): number {
    const plain = this.#plain
    if (plain === null || !plain.holds(records.bytes)) return records.at
    const frames = plain.describe(records, this.#secret)
    if (frames === 0) return records.at
    const counters = this.#counters
    counters[C.seen] += frames
    counters[C.bytesCaptured] += plain.next - records.at - frames * records.shape.headerBytes
    counters[C.queued] += frames
    counters[C.truncated] += plain.truncated
    this.stamp.micros = plain.micros
    return plain.next
  }

  frame(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    capturedLength: number,
    wireLength: number,
    linkType: number,
    interfaceId: number,
  ): void {
    const counters = this.#counters
    counters[C.seen]++
    counters[C.bytesCaptured] += capturedLength
    const end = start + capturedLength
    if (this.#filter !== null && !this.#filter.accepts(view, start, end, wireLength, linkType)) {
      counters[C.skippedFilter]++
      return
    }
    const verdict = this.#decoder.decode(view, start, end, start + wireLength, linkType, this.stamp.vlan)
    if (verdict === TCP) this.#queue(bytes, view, start, interfaceId)
    else if (verdict === FRAGMENT) this.#fragment(bytes, view, interfaceId)
    else {
      if (verdict === UNKNOWN_LINK_TYPE) this.#unread.set(linkType, (this.#unread.get(linkType) ?? 0) + 1)
      this.#skip(verdict)
    }
  }

  drainUnread(): ReadonlyMap<number, number> {
    const unread = this.#unread
    if (unread.size > 0) this.#unread = new Map()
    return unread
  }

  hasRoom(bytes: number): boolean {
    return this.#queues.every((queue) => queue.hasRoom(bytes))
  }

  watchBacklog(measure: () => Backlog): void {
    this.#load.watchBacklog(measure)
  }

  get keepThreshold(): number {
    return this.#load.threshold
  }

  releaseMemory(): void {
    for (const ring of this.#rings) {
      const unused = ring.unused()
      if (unused !== null) discardPages(unused)
    }
  }

  countInto(counters: Float64Array): void {
    this.#counters = counters
  }

  stepClock(stepMicros: number): void {
    for (const queue of this.#queues) queue.control(CLOCK_STEP, 0, NO_PAYLOAD, stepMicros)
  }

  tick(): void {
    this.flush()
    for (const queue of this.#queues) queue.tick()
  }

  flush(): void {
    for (const queue of this.#queues) queue.flush()
    if (!this.#waits) this.#load.update()
  }

  /** Ends the input: drops incomplete fragments and closes every queue. */
  finish(): void {
    this.#counters[C.droppedFragment] += this.#fragments.clear()
    for (const queue of this.#queues) {
      if (this.#waits && !this.#stopped) this.#waitForControl(queue)
      queue.close()
    }
  }

  get #stopped(): boolean {
    return this.#control.command === COMMAND_STOP
  }

  #skip(verdict: Verdict): void {
    const reason =
      verdict === NON_TCP ? C.skippedNonTcp : verdict === MALFORMED ? C.skippedMalformed : C.skippedLinkType
    this.#counters[reason]++
  }

  /** Queues the packet that the decoder has just found; the record's bytes begin at `start` and end with the packet. */
  #queue(bytes: Uint8Array, view: DataView, start: number, interfaceId: number): void {
    const decoder = this.#decoder
    const counters = this.#counters
    const length = decoder.endOffset - start
    if (length > this.#maxFrame) {
      counters[C.droppedOversize]++
      return
    }
    if (decoder.tcpOffset - start > MAX_HEADER_BYTES) {
      counters[C.skippedMalformed]++
      return
    }
    // In place there is one assembler, and it computes the hash, once for each connection.
    const hash = this.#isPlaced ? 0 : flowHash(view, decoder.version, decoder.ipOffset, decoder.tcpOffset, this.#secret)
    if (!this.#load.keeps(hash)) {
      counters[C.droppedShed]++
      return
    }
    const queues = this.#queues
    const queue = queues[assemblerOf(hash, queues.length)]
    let kept = queue.put(bytes, view, start, decoder, hash, interfaceId, counters)
    while (kept === 0 && this.#waitForRoom(queue, length)) {
      kept = queue.put(bytes, view, start, decoder, hash, interfaceId, counters)
    }
    if (kept === 0) {
      this.#load.addLost()
      counters[C.droppedRing]++
      return
    }
    this.#load.addKept(kept)
    if (decoder.truncated) counters[C.truncated]++
  }

  /** Stores a fragment; if it completes the packet, queues the packet. */
  #fragment(bytes: Uint8Array, view: DataView, interfaceId: number): void {
    const fragments = this.#fragments
    const counters = this.#counters
    let from = bytes
    let seen = view
    // One iteration per tunnel whose inner packet is again a fragment.
    for (let verdict: Verdict = FRAGMENT; verdict === FRAGMENT; ) {
      const result = fragments.add(from, seen, this.#decoder, this.stamp.micros, interfaceId)
      counters[C.droppedFragment] += fragments.drainDropped()
      if (result === UNWANTED) counters[C.skippedNonTcp] += fragments.frames
      if (result !== COMPLETE) return
      from = fragments.packetBytes
      seen = fragments.packetView
      verdict = this.#decoder.decodeReassembled(seen, fragments.packetLength)
      if (verdict === TCP) this.#queue(from, seen, 0, interfaceId)
      else if (verdict !== FRAGMENT) this.#skip(verdict)
      const others = verdict === NON_TCP ? C.skippedNonTcp : C.skippedFragment
      counters[others] += fragments.frames - 1
    }
  }

  /** @returns true once there may be room; false when the frame is to be dropped */
  #waitForRoom(queue: FrameQueue, length: number): boolean {
    if (!this.#waits || this.#stopped) return false
    this.flush()
    this.#wantedQueue = queue
    this.#wantedBytes = length + FRAME_FIELDS_BYTES + 8
    this.#control.beat()
    this.#bell.wait(WAIT_SLICE_MS, this.#hasRoom)
    return true
  }

  #announce(tag: number, interfaceId: number, payload: Uint8Array): void {
    for (const queue of this.#queues) {
      queue.control(tag, interfaceId, payload)
      if (this.#waits) this.#waitForControl(queue)
    }
  }

  /** Waits until all control records are in the queue. */
  #waitForControl(queue: FrameQueue): void {
    this.#wantedQueue = queue
    while (!queue.writeWaiting()) {
      if (this.#stopped) return
      queue.flush()
      this.#control.beat()
      this.#bell.wait(WAIT_SLICE_MS, this.#allWritten)
    }
  }
}

function queuesOf({ rings, place, marks, secret = 0 }: IntakeOptions, stamp: FrameStamp): FrameQueue[] {
  if (place) return [new PlacedFrameWriter(place, stamp, secret)]
  const source = new FrameBytes()
  return rings.map((ring, i) => new FrameRingWriter(ring, stamp, source, marks?.[i] ?? null))
}
