/**
 * Takes every frame of a capture worker: decodes just enough to steer it, copies it into its assembler's ring, and
 * counts where it went.
 *
 * Invariant, exact once `finish` was called: seen = queued + Σ skipped + Σ dropped.
 * Thread: the capture worker's. No allocation per frame.
 */

import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { ALL_TUNNELS, type Tunnels } from '../../net/tunnels.ts'
import type { RingProducer } from '../../ring/byte-ring.ts'
import type { Doorbell } from '../../ring/doorbell.ts'
import { FRAME_FIELDS_BYTES, INTERFACE, INTERFACE_GONE, MAX_FRAME_BYTES, TICK } from '../../ring/layout.ts'
import type { InterfaceInfo } from '../../target/interface-info.ts'
import { COMMAND_STOP, type Control } from '../../thread/control.ts'
import type { FrameFilter } from '../filter/frame-filter.ts'
import type { PressedSink } from '../frame-sink.ts'
import { FrameStamp } from '../frame-sink.ts'
import { COMPLETE, FragmentTable, UNWANTED } from '../wire/fragments.ts'
import { FRAGMENT, MALFORMED, NON_TCP, PacketDecoder, TCP, UNKNOWN_LINK_TYPE, type Verdict } from '../wire/ip.ts'
import { flowHash, slotOf } from './flow-hash.ts'
import { FlowShedder } from './flow-shedder.ts'
import { FrameBytes } from './frame-bytes.ts'
import { FrameLane } from './frame-lane.ts'

const C = CAPTURE_COUNTERS.index

/** Offsets in a record are 16 bits wide; headers before TCP that are longer are nobody's. */
const MAX_HEADER_BYTES = 0xffff - FRAME_FIELDS_BYTES - 8

/** How long a wait for room sleeps at most before it looks at its command and shows a heartbeat. */
const WAIT_SLICE_MS = 100

export interface IntakeOptions {
  /** One frame ring per assembler, in slot order. */
  rings: RingProducer[]
  /** A CAPTURE_COUNTERS block, until `countInto` names another. */
  counters: Float64Array
  /** Full ring: files wait for room, live capture drops the frame, counts it, and sheds connections for a while. */
  whenFull: 'wait' | 'drop'
  /** This thread's doorbell, rung when a ring has room again. */
  bell: Doorbell
  control: Control
  /** Tunnels whose contents count; default: all that are known, at their usual ports. */
  tunnels?: Tunnels
  /** Decides about each frame before it is decoded; default: all are wanted. */
  filter?: FrameFilter | null
}

export class Intake implements PressedSink {
  readonly stamp = new FrameStamp()
  readonly #lanes: FrameLane[]
  #counters: Float64Array
  readonly #waits: boolean
  readonly #bell: Doorbell
  readonly #control: Control
  readonly #decoder: PacketDecoder
  readonly #source = new FrameBytes()
  readonly #fragments = new FragmentTable()
  readonly #shedder = new FlowShedder()
  readonly #filter: FrameFilter | null
  /** Frames of link types that cannot be read, by link type, since they were last asked for. */
  #unread = new Map<number, number>()
  readonly #maxFrame: number
  /** What `#hasRoom` looks for, so that waiting needs no closure of its own. */
  #wantedLane: FrameLane
  #wantedStart = 0
  #wantedLength = 0
  readonly #hasRoom = (): boolean => this.#wantedLane.claim(this.#wantedStart, this.#wantedLength) || this.#stopped
  readonly #settled = (): boolean => this.#wantedLane.settle() || this.#stopped

  constructor(options: IntakeOptions) {
    this.#lanes = options.rings.map((ring) => new FrameLane(ring, this.stamp))
    this.#wantedLane = this.#lanes[0]
    this.#counters = options.counters
    this.#waits = options.whenFull === 'wait'
    this.#bell = options.bell
    this.#control = options.control
    this.#filter = options.filter ?? null
    this.#decoder = new PacketDecoder(options.tunnels ?? ALL_TUNNELS)
    const smallest = Math.min(...options.rings.map((ring) => ring.maxRecord))
    this.#maxFrame = Math.min(MAX_FRAME_BYTES, smallest - FRAME_FIELDS_BYTES - 8)
  }

  addInterface(id: number, info: InterfaceInfo): void {
    this.#announce(INTERFACE, id, new TextEncoder().encode(JSON.stringify(info)))
  }

  removeInterface(id: number): void {
    this.#announce(INTERFACE_GONE, id, new Uint8Array(0))
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

  takeUnread(): ReadonlyMap<number, number> {
    const unread = this.#unread
    if (unread.size > 0) this.#unread = new Map()
    return unread
  }

  hasRoom(bytes: number): boolean {
    for (const lane of this.#lanes) if (!lane.hasRoom(bytes)) return false
    return true
  }

  press(): void {
    this.#shedder.press()
  }

  countInto(counters: Float64Array): void {
    this.#counters = counters
  }

  tick(): void {
    for (const lane of this.#lanes) lane.offer(TICK)
    this.flush()
  }

  flush(): void {
    for (const lane of this.#lanes) {
      lane.settle()
      lane.ring.flush()
    }
    this.#shedder.endBatch()
  }

  /** The input has ended: drops incomplete fragments and closes every ring. */
  finish(): void {
    this.#counters[C.droppedFragment] += this.#fragments.clear()
    for (const lane of this.#lanes) {
      if (this.#waits && !this.#stopped) this.#settle(lane)
      lane.ring.close()
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

  /** Queues what the decoder has just found; the record's bytes begin at `start` and end with the packet. */
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
    const hash = flowHash(view, decoder.version, decoder.ipOffset, decoder.tcpOffset)
    if (!this.#shedder.keeps(hash)) {
      counters[C.droppedShed]++
      return
    }
    const lanes = this.#lanes
    const lane = lanes[slotOf(hash, lanes.length)]
    if (!lane.claim(start, length) && !this.#waitForRoom(lane, start, length)) {
      this.#shedder.press()
      counters[C.droppedRing]++
      return
    }
    this.#source.use(bytes)
    lane.fill(this.#source, start, decoder, hash, interfaceId)
    counters[C.queued]++
    if (decoder.truncated) counters[C.truncated]++
  }

  /** A fragment waits for the others; the one that completes the packet is queued as the packet. */
  #fragment(bytes: Uint8Array, view: DataView, interfaceId: number): void {
    const fragments = this.#fragments
    const counters = this.#counters
    let from = bytes
    let seen = view
    // Once for each tunnel whose inner packet is a fragment too.
    for (let verdict: Verdict = FRAGMENT; verdict === FRAGMENT; ) {
      const result = fragments.add(from, seen, this.#decoder, this.stamp.micros, interfaceId)
      counters[C.droppedFragment] += fragments.takeDropped()
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

  /** @returns true with the lane's claim made; false when the frame is to be dropped */
  #waitForRoom(lane: FrameLane, start: number, length: number): boolean {
    if (!this.#waits) return false
    this.flush()
    this.#wantedLane = lane
    this.#wantedStart = start
    this.#wantedLength = length
    while (!lane.claim(start, length)) {
      if (this.#stopped) return false
      this.#control.beat()
      this.#bell.wait(WAIT_SLICE_MS, this.#hasRoom)
    }
    return true
  }

  #announce(tag: number, interfaceId: number, payload: Uint8Array): void {
    for (const lane of this.#lanes) {
      lane.control(tag, interfaceId, payload)
      if (this.#waits) this.#settle(lane)
    }
  }

  /** Waits until the lane's control records are in. */
  #settle(lane: FrameLane): void {
    this.#wantedLane = lane
    while (!lane.settle()) {
      if (this.#stopped) return
      lane.ring.flush()
      this.#control.beat()
      this.#bell.wait(WAIT_SLICE_MS, this.#settled)
    }
  }
}
