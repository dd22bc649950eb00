/**
 * The reader's side of one TPACKET_V3 ring, on memory the main thread mapped. Capture worker only; one reader per ring.
 *
 *     ring    block | block | block | …            the kernel fills them in turn and sets `status` when done
 *     block   status · packets · first packet …    ours until we set `status` back
 *     packet  next · time · lengths · mac …        `mac` leads to the frame's first byte
 */

import { viewMemory } from '../../sys/ffi.ts'
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
import type { FrameSink } from '../frame-sink.ts'
import { LINKTYPE_RAW } from '../wire/link-types.ts'
import type { LentSocket } from '../worker-data.ts'
import { RedirectedReplies } from './redirected-replies.ts'

const CROWDED_SHARE = 3 / 4
const VLAN_TAG_BYTES = 4
/** IPv4 and TCP headers without options. */
const LEAST_PACKET_BYTES = 40

export class RingReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #words: Int32Array
  readonly #blockBytes: number
  readonly #ringBytes: number
  readonly #linkType: number
  readonly #interfaceId: number
  readonly #replies: RedirectedReplies
  /** Offset of the block the kernel hands over next. */
  #block: number
  /** That block's frames have been given to the sink. */
  #given = false
  /** Number of the block that was given last. */
  #lastNumber = 0
  /** No frame is added any more: see `finish`. */
  #finished = false

  constructor(socket: LentSocket) {
    this.#blockBytes = socket.blockBytes
    this.#ringBytes = socket.blockBytes * socket.blockCount
    const memory = viewMemory(socket.address, this.#ringBytes)
    this.#bytes = new Uint8Array(memory)
    this.#view = new DataView(memory)
    this.#words = new Int32Array(memory)
    this.#linkType = socket.linkType
    this.#interfaceId = socket.interfaceId
    this.#replies = new RedirectedReplies(socket.proxyPort)
    this.#block = this.#nextBlock()
  }

  /** Bytes of the block the kernel hands over next, which bound those of its frames; 0 while it has none ready. */
  get readyBytes(): number {
    const isReady = this.#isReady(this.#block) || (this.#finished && this.#isOpen(this.#block))
    return isReady ? this.#words[(this.#block + BLOCK_LENGTH) >> 2] : 0
  }

  /** Whether three quarters of the ring wait for us: leaving frames there any longer means losing some. */
  get crowded(): boolean {
    const ahead = Math.floor((this.#ringBytes / this.#blockBytes) * CROWDED_SHARE) * this.#blockBytes
    return this.#isReady((this.#block + ahead) % this.#ringBytes)
  }

  /**
   * No frame is added from here on, and none is being added: the block that the kernel is filling is as good as closed, and
   * waiting for its timer would only delay the end. Its header is current, because the kernel writes it with every frame.
   */
  finish(): void {
    this.#finished = true
  }

  /** Gives the ready block's frames to the sink, in place. `release` follows once they are safe. */
  giveBlock(sink: FrameSink): void {
    const block = this.#block
    let packet = block + this.#words[(block + BLOCK_FIRST_PACKET) >> 2]
    for (let left = this.#words[(block + BLOCK_PACKETS) >> 2]; left > 0; left--) {
      this.#give(packet, sink)
      packet += this.#words[(packet + PACKET_NEXT) >> 2]
    }
    this.#given = true
    this.#lastNumber = this.#blockNumber(block)
  }

  /** Gives the block whose frames were given back to the kernel, if there is one. */
  release(): void {
    if (!this.#given) return
    this.#given = false
    const block = this.#block
    Atomics.store(this.#words, (block + BLOCK_STATUS) >> 2, TP_STATUS_KERNEL)
    this.#block = block + this.#blockBytes === this.#ringBytes ? 0 : block + this.#blockBytes
  }

  #isReady(block: number): boolean {
    return (Atomics.load(this.#words, (block + BLOCK_STATUS) >> 2) & TP_STATUS_USER) !== 0
  }

  /** Whether the kernel is filling a block, and has put a frame into it. Blocks that were read keep their old numbers. */
  #isOpen(block: number): boolean {
    return this.#blockNumber(block) > this.#lastNumber && this.#words[(block + BLOCK_PACKETS) >> 2] > 0
  }

  #give(packet: number, sink: FrameSink): void {
    const words = this.#words
    const { stamp } = sink
    const seconds = words[(packet + PACKET_SECONDS) >> 2] >>> 0
    stamp.micros = seconds * 1e6 + ((words[(packet + PACKET_NANOSECONDS) >> 2] / 1000) | 0)
    const tagged = (words[(packet + PACKET_STATUS) >> 2] & TP_STATUS_VLAN_VALID) !== 0
    stamp.vlan = tagged ? words[(packet + PACKET_VLAN) >> 2] & 0xffff : 0
    let captured = words[(packet + PACKET_CAPTURED) >> 2]
    let length = words[(packet + PACKET_LENGTH) >> 2]
    let start = packet + this.#view.getUint16(packet + PACKET_MAC, true)
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
   * Bytes of VLAN tags that a cooked frame still begins with. It begins where the kernel sees the network header, which
   * is before the tags or after them, depending on the way it came and on the kernel's version, and its protocol field
   * does not say which; so the place where a packet begins decides.
   */
  #tagBytes(start: number, captured: number, length: number): number {
    for (let tags = 0; tags <= 2 * VLAN_TAG_BYTES && captured - tags >= LEAST_PACKET_BYTES; tags += VLAN_TAG_BYTES) {
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
   * Where to begin. A ring that another worker read before is somewhere in its round: the kernel numbers blocks from 1 as
   * it begins to fill them, so next is the ready one with the lowest number, and with none ready the one being filled,
   * which has the highest.
   */
  #nextBlock(): number {
    let oldest = -1
    let newest = 0
    for (let block = 0; block < this.#ringBytes; block += this.#blockBytes) {
      const number = this.#blockNumber(block)
      if (number > this.#blockNumber(newest)) newest = block
      if (this.#isReady(block) && (oldest === -1 || number < this.#blockNumber(oldest))) oldest = block
    }
    return oldest === -1 ? newest : oldest
  }

  #blockNumber(block: number): number {
    return Number(this.#view.getBigUint64(block + BLOCK_NUMBER, true))
  }
}

/** A third tag has no room, and is not needed to tell networks apart. */
const addTag = (vlan: number, control: number): number => (vlan === 0 ? control : (vlan & 0xffff) | (control << 16))
