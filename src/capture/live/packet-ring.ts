/**
 * The reader's side of one TPACKET_V3 ring, on memory the main thread mapped. Capture worker only; one reader per ring.
 *
 *     ring    block | block | block | …            the kernel fills them in turn and sets `status` when done
 *     block   status · packets · first packet …    ours until we set `status` back
 *     packet  next · time · lengths · mac …        `mac` leads to the frame's first byte
 */
import type { AfPacketSocket } from '../../messages.ts'
import { viewMemory } from '../../sys/ffi.ts'
import {
  BLOCK_FIRST_PACKET,
  BLOCK_NUMBER,
  BLOCK_PACKETS,
  BLOCK_STATUS,
  PACKET_CAPTURED,
  PACKET_LENGTH,
  PACKET_MAC,
  PACKET_NANOSECONDS,
  PACKET_NEXT,
  PACKET_PROTOCOL,
  PACKET_SECONDS,
  TP_STATUS_KERNEL,
  TP_STATUS_USER,
} from '../../sys/packet.ts'
import type { FrameSink } from '../frame-sink.ts'
import { LINKTYPE_RAW } from './packet-socket.ts'

const ETHERTYPE_VLAN = 0x8100
const ETHERTYPE_QINQ = 0x88a8
const ETHERTYPE_QINQ_OLD = 0x9100
const VLAN_TAG_BYTES = 4

export class PacketRing {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #words: Int32Array
  readonly #blockBytes: number
  readonly #ringBytes: number
  readonly #linkType: number
  readonly #interfaceId: number
  /** Offset of the block the kernel hands over next. */
  #block: number

  constructor(socket: AfPacketSocket) {
    this.#blockBytes = socket.blockBytes
    this.#ringBytes = socket.blockBytes * socket.blockCount
    const memory = viewMemory(socket.address, this.#ringBytes)
    this.#bytes = new Uint8Array(memory)
    this.#view = new DataView(memory)
    this.#words = new Int32Array(memory)
    this.#linkType = socket.linkType
    this.#interfaceId = socket.interfaceId
    this.#block = this.#nextBlock()
  }

  /**
   * Gives one block's frames to the sink, in place, and the block back to the kernel.
   *
   * @returns false when the kernel has none ready
   */
  takeBlock(sink: FrameSink): boolean {
    const block = this.#block
    const status = (block + BLOCK_STATUS) >> 2
    if ((Atomics.load(this.#words, status) & TP_STATUS_USER) === 0) return false
    let packet = block + this.#words[(block + BLOCK_FIRST_PACKET) >> 2]!
    for (let left = this.#words[(block + BLOCK_PACKETS) >> 2]!; left > 0; left--) {
      this.#give(packet, sink)
      packet += this.#words[(packet + PACKET_NEXT) >> 2]!
    }
    Atomics.store(this.#words, status, TP_STATUS_KERNEL)
    this.#block = block + this.#blockBytes === this.#ringBytes ? 0 : block + this.#blockBytes
    return true
  }

  #give(packet: number, sink: FrameSink): void {
    const words = this.#words
    const seconds = words[(packet + PACKET_SECONDS) >> 2]! >>> 0
    const micros = seconds * 1e6 + ((words[(packet + PACKET_NANOSECONDS) >> 2]! / 1000) | 0)
    let captured = words[(packet + PACKET_CAPTURED) >> 2]!
    let length = words[(packet + PACKET_LENGTH) >> 2]!
    let start = packet + this.#view.getUint16(packet + PACKET_MAC, true)
    if (this.#linkType === LINKTYPE_RAW) {
      const tags = this.#tagBytes(packet, start, captured)
      start += tags
      captured -= tags
      length -= tags
    }
    sink.frame(this.#bytes, this.#view, start, captured, length, this.#linkType, micros, this.#interfaceId)
  }

  /** VLAN tags that a cooked frame still begins with: those the kernel did not take off. */
  #tagBytes(packet: number, start: number, captured: number): number {
    let type = this.#view.getUint16(packet + PACKET_PROTOCOL)
    let bytes = 0
    while (isVlan(type) && captured - bytes >= VLAN_TAG_BYTES) {
      type = this.#view.getUint16(start + bytes + 2)
      bytes += VLAN_TAG_BYTES
    }
    return bytes
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
      const ready = (Atomics.load(this.#words, (block + BLOCK_STATUS) >> 2) & TP_STATUS_USER) !== 0
      if (ready && (oldest === -1 || number < this.#blockNumber(oldest))) oldest = block
    }
    return oldest === -1 ? newest : oldest
  }

  #blockNumber(block: number): number {
    return Number(this.#view.getBigUint64(block + BLOCK_NUMBER, true))
  }
}

const isVlan = (type: number): boolean =>
  type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ || type === ETHERTYPE_QINQ_OLD
