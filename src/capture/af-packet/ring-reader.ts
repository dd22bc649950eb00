/**
 * Reads one TPACKET_V3 ring in memory that the main thread has mapped. Capture worker only; one reader per ring.
 *
 *     ring    block | block | block | …            the kernel fills them in order and sets `status` of each full one
 *     block   status · packets · first packet …    belongs to the reader until it resets `status`
 *     packet  next · time · lengths · mac …        `mac` is the offset of the frame's first byte
 *
 * The kernel keeps a block that is not full for up to RETIRE_MS. Frames of such an open block are read before
 * (`settle`): its header is current, because the kernel counts a frame there before it writes it. A frame is complete
 * once it has been counted for SETTLE_MS and its status is set.
 */

import {
  BLOCK_FIRST_PACKET,
  BLOCK_LENGTH,
  BLOCK_NUMBER,
  BLOCK_PACKETS,
  BLOCK_STATUS,
  PACKET_CAPTURED,
  PACKET_LENGTH,
  PACKET_MAC,
  PACKET_NANOSECONDS,
  PACKET_NEXT,
  PACKET_SECONDS,
  PACKET_STATUS,
  PACKET_VLAN,
  TP_STATUS_KERNEL,
  TP_STATUS_USER,
  TP_STATUS_VLAN_VALID,
} from '../../sys/packet.ts'
import { SHED_SAMPLE_BYTES } from '../filter/shed-rule.ts'
import type { FrameSink } from '../frame-sink.ts'
import { LINKTYPE_RAW } from '../wire/link-types.ts'
import type { LentSocket } from '../worker-data.ts'
import { RedirectedReplies } from './redirected-replies.ts'
import { SETTLE_MS } from './ring-geometry.ts'
import { RingOverlap } from './ring-overlap.ts'

/**
 * BLOCK_LENGTH of a released block until the kernel fills it again, so that a successor does not mistake it for an open
 * one.
 */
const RELEASED = 0
const CROWDED_SHARE = 7 / 8
/** Indexes of the words of LentSocket.progress. */
const BLOCK_WORD = 0
const DELIVERED_WORD = 1
const BEGUN_WORD = 2
const REPEATED_WORD = 3
const VLAN_TAG_BYTES = 4
/** IPv4 and TCP headers without options. */
const MIN_PACKET_BYTES = 40

type RingSocket = Pick<
  LentSocket,
  'blockBytes' | 'blockCount' | 'linkType' | 'interfaceId' | 'proxyPort' | 'redirected' | 'progress'
>

export class RingReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #words: Int32Array
  readonly #blockBytes: number
  readonly #ringBytes: number
  readonly #linkType: number
  readonly #interfaceId: number
  readonly #replies: RedirectedReplies
  readonly #progress: Int32Array
  /** Samples of frames that the kernel's filter has shed. */
  #shedSamples = 0
  /** Offset of the block that the kernel retires next. */
  #block: number
  /** Whether that block's frames have been delivered to the sink. */
  #delivered = false
  /**
   * Frames that the interface's previous ring holds too; null: there is no previous ring, or it has been read to its
   * end.
   */
  #withPrevious: RingOverlap | null = null
  /** Number of the last block with frames that the previous ring holds too. */
  #lastShared = Number.POSITIVE_INFINITY
  /** Frames that the interface's next ring holds too; null: there is no next ring. */
  #withNext: RingOverlap | null = null
  /**
   * The open block's number and frames at the last check, and the time of that check. Milliseconds of
   * `performance.now`.
   */
  #seenBlock = 0
  #seenFrames = 0
  #seenAt = 0
  /** Frames of the open block that are complete. */
  #settledFrames = 0
  /** No frame will be added: see `finish`. */
  #finished = false

  /** @param memory of the ring, `blockBytes` × `blockCount` */
  constructor(socket: RingSocket, memory: ArrayBuffer) {
    this.#blockBytes = socket.blockBytes
    this.#ringBytes = socket.blockBytes * socket.blockCount
    this.#bytes = new Uint8Array(memory)
    this.#view = new DataView(memory)
    this.#words = new Int32Array(memory)
    this.#linkType = socket.linkType
    this.#interfaceId = socket.interfaceId
    this.#replies = new RedirectedReplies(socket.proxyPort, socket.redirected)
    this.#progress = socket.progress
    this.#block = this.#nextBlock()
  }

  /** Bytes of the next block, an upper bound of its frames' bytes; 0 while the block is not ready. */
  get readyBytes(): number {
    const isReady = this.#isReady(this.#block) || (this.#finished && this.#isOpen(this.#block))
    return isReady ? this.#words[(this.#block + BLOCK_LENGTH) >> 2] : 0
  }

  /** Whether it holds frames that have not been delivered, in a ready block or in the open one. */
  get holdsFrames(): boolean {
    const block = this.#block
    return this.readyBytes > 0 || (this.#isOpen(block) && this.#packets(block) > this.#nextFrame(block))
  }

  /** Whether the ring is so full that waiting any longer would lose frames. */
  get isNearlyFull(): boolean {
    const ahead = Math.floor((this.#ringBytes / this.#blockBytes) * CROWDED_SHARE) * this.#blockBytes
    return this.#isReady((this.#block + ahead) % this.#ringBytes)
  }

  /** Bytes of the ring, and of its blocks that wait to be read. */
  get capacityBytes(): number {
    return this.#ringBytes
  }

  get waitingBytes(): number {
    let blocks = 0
    const count = this.#ringBytes / this.#blockBytes
    for (let block = this.#block; blocks < count && this.#isReady(block); block = this.#after(block)) blocks += 1
    return blocks * this.#blockBytes
  }

  /** Samples of shed frames (filter/shed-rule.ts) since the last call. */
  drainShedSamples(): number {
    const samples = this.#shedSamples
    this.#shedSamples = 0
    return samples
  }

  /**
   * Makes the block readable that the kernel is filling, instead of waiting for its timer. The caller guarantees that
   * no frame is being added or will be. The block's header is current, because the kernel updates it with every frame.
   */
  finish(): void {
    this.#finished = true
  }

  /** From now on the interface's next ring receives the same frames, and skips those that this one delivers. */
  beginOverlap(next: RingReader): void {
    this.#withNext = new RingOverlap()
    next.#withPrevious = this.#withNext
  }

  /** The previous ring has been read to its end. It holds none of the frames that arrive from now on. */
  endOverlap(): void {
    this.#lastShared = 0
    for (let block = 0; block < this.#ringBytes; block += this.#blockBytes) {
      this.#lastShared = Math.max(this.#lastShared, this.#blockNumber(block))
    }
  }

  /**
   * Looks for frames of the open block that are complete. To be called while no block is ready.
   *
   * @param now milliseconds of `performance.now`
   * @returns an upper bound of the bytes of such frames, for `deliverSettled`; 0: there are none
   */
  settle(now: number): number {
    const block = this.#block
    if (!this.#isOpen(block)) return 0
    const number = this.#words[(block + BLOCK_NUMBER) >> 2]
    const packets = this.#packets(block)
    // The counter may be read before the kernel has reset it for a new block.
    if (number !== this.#seenBlock || packets < this.#seenFrames) this.#see(number, packets, now)
    if (packets === this.#nextFrame(block) || now - this.#seenAt < SETTLE_MS) return 0
    this.#settledFrames = this.#completeFrames(block, this.#seenFrames)
    this.#see(number, packets, now)
    return this.#settledFrames > this.#nextFrame(block) ? this.#words[(block + BLOCK_LENGTH) >> 2] : 0
  }

  /** Delivers the frames that `settle` has found; the block remains the kernel's. */
  deliverSettled(sink: FrameSink): void {
    this.#deliverFrames(this.#settledFrames, sink)
  }

  /**
   * Delivers the ready block's frames to the sink, in place. Call `release` once the sink has flushed them.
   *
   * Frames that a predecessor has delivered are skipped: its sink's rings outlive it. The frame in which it crashed is
   * delivered once more; if this worker crashes in it too, the next one skips it.
   */
  deliverBlock(sink: FrameSink): void {
    this.#deliverFrames(this.#packets(this.#block), sink)
    this.#delivered = true
  }

  /** Returns a delivered block to the kernel, if there is one. */
  release(): void {
    if (!this.#delivered) return
    this.#delivered = false
    const block = this.#block
    this.#words[(block + BLOCK_LENGTH) >> 2] = RELEASED
    this.#returnToKernel(block)
    this.#block = this.#after(block)
  }

  /** Delivers the block's frames up to `end`, counted from 0, that have not been delivered. */
  #deliverFrames(end: number, sink: FrameSink): void {
    const block = this.#block
    const progress = this.#progress
    const first = this.#beginFrame(block)
    if (this.#withPrevious !== null && this.#blockNumber(block) > this.#lastShared) this.#withPrevious = null
    let packet = this.#firstPacket(block)
    for (let frame = 0; frame < end; frame++) {
      if (frame >= first) {
        progress[BEGUN_WORD] = frame + 1
        this.#deliver(packet, sink)
        progress[DELIVERED_WORD] = frame + 1
      }
      packet += this.#words[(packet + PACKET_NEXT) >> 2]
    }
  }

  /** The first of a block's frames to deliver, counted from 0, which is noted when it has been begun before. */
  #beginFrame(block: number): number {
    const progress = this.#progress
    const first = this.#nextFrame(block)
    const number = this.#words[(block + BLOCK_NUMBER) >> 2]
    if (progress[BLOCK_WORD] !== number) {
      progress.fill(0)
      progress[BLOCK_WORD] = number
    }
    if (first < progress[BEGUN_WORD]) progress[REPEATED_WORD] = progress[BEGUN_WORD]
    return first
  }

  /** The first of a block's frames to deliver, counted from 0. */
  #nextFrame(block: number): number {
    const progress = this.#progress
    if (progress[BLOCK_WORD] !== this.#words[(block + BLOCK_NUMBER) >> 2]) return 0
    const begun = progress[BEGUN_WORD]
    return begun === progress[DELIVERED_WORD] || begun === progress[REPEATED_WORD] ? begun : begun - 1
  }

  /** How many of the open block's first `seen` frames the kernel has written, up to the first one that it has not. */
  #completeFrames(block: number, seen: number): number {
    let packet = this.#firstPacket(block)
    let frames = 0
    while (frames < seen && (Atomics.load(this.#words, (packet + PACKET_STATUS) >> 2) & TP_STATUS_USER) !== 0) {
      packet += this.#words[(packet + PACKET_NEXT) >> 2]
      frames += 1
    }
    return frames
  }

  #see(number: number, frames: number, now: number): void {
    this.#seenBlock = number
    this.#seenFrames = frames
    this.#seenAt = now
  }

  #firstPacket(block: number): number {
    return block + this.#words[(block + BLOCK_FIRST_PACKET) >> 2]
  }

  #packets(block: number): number {
    return Atomics.load(this.#words, (block + BLOCK_PACKETS) >> 2)
  }

  #returnToKernel(block: number): void {
    Atomics.store(this.#words, (block + BLOCK_STATUS) >> 2, TP_STATUS_KERNEL)
  }

  #after(block: number): number {
    return block + this.#blockBytes === this.#ringBytes ? 0 : block + this.#blockBytes
  }

  #isReady(block: number): boolean {
    return (Atomics.load(this.#words, (block + BLOCK_STATUS) >> 2) & TP_STATUS_USER) !== 0
  }

  /**
   * Whether the kernel is filling this block and has written a frame. Blocks that were read keep their packet counts.
   */
  #isOpen(block: number): boolean {
    return !this.#isReleased(block) && this.#packets(block) > 0
  }

  #isReleased(block: number): boolean {
    return this.#words[(block + BLOCK_LENGTH) >> 2] === RELEASED
  }

  #deliver(packet: number, sink: FrameSink): void {
    const words = this.#words
    const { stamp } = sink
    const seconds = words[(packet + PACKET_SECONDS) >> 2] >>> 0
    stamp.micros = seconds * 1e6 + ((words[(packet + PACKET_NANOSECONDS) >> 2] / 1000) | 0)
    const tagged = (words[(packet + PACKET_STATUS) >> 2] & TP_STATUS_VLAN_VALID) !== 0
    stamp.vlan = tagged ? words[(packet + PACKET_VLAN) >> 2] & 0xffff : 0
    let captured = words[(packet + PACKET_CAPTURED) >> 2]
    let length = words[(packet + PACKET_LENGTH) >> 2]
    if (captured === SHED_SAMPLE_BYTES && captured < length) {
      this.#shedSamples += 1
      return
    }
    let start = packet + this.#view.getUint16(packet + PACKET_MAC, true)
    if (this.#withPrevious?.remove(this.#view, start, captured, stamp.vlan) === true) return
    this.#withNext?.add(this.#view, start, captured, stamp.vlan)
    if (this.#linkType === LINKTYPE_RAW) {
      const tags = this.#tagBytes(start, captured, length)
      for (let at = 0; at < tags; at += VLAN_TAG_BYTES)
        stamp.vlan = addTag(stamp.vlan, this.#view.getUint16(start + at))
      start += tags
      captured -= tags
      length -= tags
    } else this.#replies.frame(this.#view, start, start + captured)
    sink.frame(this.#bytes, this.#view, start, captured, length, this.#linkType, this.#interfaceId)
  }

  /**
   * Bytes of VLAN tags at the start of a cooked frame. Depending on its path and the kernel's version, the frame begins
   * before or after its tags, and its protocol field does not distinguish the two. So the tags are skipped up to the
   * first position that looks like a packet.
   */
  #tagBytes(start: number, captured: number, length: number): number {
    for (let tags = 0; tags <= 2 * VLAN_TAG_BYTES && captured - tags >= MIN_PACKET_BYTES; tags += VLAN_TAG_BYTES) {
      if (this.#looksLikePacket(start + tags, length - tags)) return tags
    }
    return 0
  }

  #looksLikePacket(at: number, length: number): boolean {
    const first = this.#view.getUint8(at)
    if (first >> 4 === 6) return this.#view.getUint16(at + 4) + 40 <= length
    return first >> 4 === 4 && (first & 0xf) >= 5 && this.#view.getUint16(at + 2) <= length
  }

  /**
   * Finds the block to start with, since another worker may have read the ring before. The kernel numbers blocks from 1
   * as it begins to fill them, so the next one is the ready block with the lowest number; with none ready it is the block
   * being filled, which has the highest. Once a full ring has been read to its end, no block is being filled until the next
   * frame arrives: then it is the one after the highest.
   */
  #nextBlock(): number {
    let oldest = -1
    let newest = 0
    for (let block = 0; block < this.#ringBytes; block += this.#blockBytes) {
      // The predecessor of this reader failed while it released the block.
      if (this.#isReady(block) && this.#isReleased(block)) this.#returnToKernel(block)
      const number = this.#blockNumber(block)
      if (number > this.#blockNumber(newest)) newest = block
      if (this.#isReady(block) && (oldest === -1 || number < this.#blockNumber(oldest))) oldest = block
    }
    if (oldest !== -1) return oldest
    return this.#isReleased(newest) ? this.#after(newest) : newest
  }

  #blockNumber(block: number): number {
    return Number(this.#view.getBigUint64(block + BLOCK_NUMBER, true))
  }
}

/** Adds an outer tag's control information. A third tag is ignored: two suffice to distinguish networks. */
const addTag = (vlan: number, control: number): number => (vlan === 0 ? control : (vlan & 0xffff) | (control << 16))
