/**
 * Reads pcapng files (draft-ietf-opsawg-pcapng): any number of sections in either byte order, each with its own
 * interfaces; enhanced, simple and obsolete packet blocks. Blocks that hold no packets are skipped by their length.
 *
 * A block's length is at both of its ends. If the two agree, only a block with invalid content is skipped; if they do
 * not, the next section or packet block is searched for.
 */

import { type FormatHost, type FormatReader, MAX_RECORD_BYTES } from './format.ts'
import { readInterface, type SectionInterface, toMicros } from './pcapng-interface.ts'
import { findBlock, padded } from './pcapng-resync.ts'
import type { Window } from './window.ts'

const SECTION_HEADER = 0x0a0d0d0a
const INTERFACE_DESCRIPTION = 1
const PACKET = 2
const SIMPLE_PACKET = 3
const ENHANCED_PACKET = 6
const BYTE_ORDER_MAGIC = 0x1a2b3c4d
/** Type, length, and the length again at the end. */
const BLOCK_BYTES = 12
/** Limit of interfaces per section, which bounds memory. */
const MAX_SECTION_INTERFACES = 65536

/** @returns true when the four bytes at `at` begin a pcapng file: they read the same in both byte orders */
export const isPcapng = (view: DataView, at: number): boolean => view.getUint32(at) === SECTION_HEADER

export class PcapngReader implements FormatReader {
  readonly #host: FormatHost
  #little = true
  #interfaces: SectionInterface[] = []
  /** Simple packet blocks have no time and use that of the previous packet. */
  #lastMicros = 0
  /** Whether the section's version is known; otherwise its blocks are skipped. */
  #known = true
  #lost = false
  #stopped = false

  constructor(host: FormatHost) {
    this.#host = host
  }

  read(window: Window): void {
    this.#advance(window, false)
  }

  end(window: Window): void {
    this.#advance(window, true)
    if (this.#stopped || this.#lost) return
    if (window.available > 0) {
      const reason = `the file is truncated: ${window.available} of the last block's ${window.wanted} bytes are present`
      this.#host.damage(window.offset, reason)
    }
  }

  #advance(window: Window, ended: boolean): void {
    while (!this.#stopped) {
      if (this.#lost) {
        if (!findBlock(window, this.#little, ended)) return
        this.#lost = false
      }
      if (!this.#block(window)) return
    }
    window.skip(window.available)
    window.wanted = 1
  }

  /** Parses one block. @returns false when more bytes are needed */
  #block(window: Window): boolean {
    window.wanted = BLOCK_BYTES
    if (window.available < BLOCK_BYTES) return false
    const { view, begin } = window
    const type = view.getUint32(begin, this.#little)
    if (type === SECTION_HEADER && !this.#byteOrder(window)) return true
    const length = view.getUint32(begin + 4, this.#little)
    if (length < BLOCK_BYTES || length > MAX_RECORD_BYTES) {
      return this.#damaged(window, `a block claims ${length} bytes`, 0)
    }
    window.wanted = padded(length)
    if (window.available < window.wanted) return false
    const closing = view.getUint32(begin + padded(length) - 4, this.#little)
    if (closing !== length) return this.#damaged(window, `a block's two lengths differ (${length} and ${closing})`, 0)
    const wrong = this.#content(window, type, begin, begin + length - 4)
    if (wrong !== null) return this.#damaged(window, wrong, padded(length))
    window.skip(padded(length))
    return true
  }

  /** Reads a section header's byte order. @returns false when there is none: damage */
  #byteOrder(window: Window): boolean {
    const at = window.begin + 8
    const little = window.view.getUint32(at, true) === BYTE_ORDER_MAGIC
    if (!little && window.view.getUint32(at) !== BYTE_ORDER_MAGIC) {
      this.#damaged(window, 'a section header has no byte-order mark', 0)
      return false
    }
    this.#little = little
    return true
  }

  /** @param end offset of the block's closing length @returns the damage found, null when there is none */
  #content(window: Window, type: number, begin: number, end: number): string | null {
    if (type === SECTION_HEADER) return this.#section(window.view, begin, end)
    if (!this.#known) return null
    switch (type) {
      case INTERFACE_DESCRIPTION:
        return this.#interface(window, begin, end)
      case ENHANCED_PACKET:
        if (begin + 28 > end) return 'a packet block is too short'
        return this.#packet(window, window.view.getUint32(begin + 8, this.#little), begin + 12, end)
      case PACKET:
        if (begin + 28 > end) return 'a packet block is too short'
        return this.#packet(window, window.view.getUint16(begin + 8, this.#little), begin + 12, end)
      case SIMPLE_PACKET:
        return this.#simplePacket(window, begin, end)
      default:
        // Blocks of names, statistics, secrets and custom data are not used.
        return null
    }
  }

  #section(view: DataView, begin: number, end: number): string | null {
    this.#interfaces = []
    if (begin + 24 > end) return 'a section header is too short'
    const major = view.getUint16(begin + 12, this.#little)
    this.#known = major === 1
    return this.#known ? null : `a section has format version ${major}, only 1 is known`
  }

  #interface(window: Window, begin: number, end: number): string | null {
    if (begin + 16 > end) return 'an interface description is too short'
    if (this.#interfaces.length === MAX_SECTION_INTERFACES) return 'a section has too many interfaces'
    this.#interfaces.push(readInterface(window.bytes, window.view, begin, end, this.#little))
    return null
  }

  /** The fields that enhanced and obsolete packet blocks share, from the time on. */
  #packet(window: Window, index: number, at: number, end: number): string | null {
    if (index >= this.#interfaces.length) return `a packet names interface ${index}, which is not described`
    const { view } = window
    const little = this.#little
    const captured = view.getUint32(at + 8, little)
    if (captured > end - (at + 16)) return `a packet claims ${captured} bytes, more than its block has`
    const described = this.#interfaces[index]
    const micros = toMicros(view.getUint32(at, little), view.getUint32(at + 4, little), described.unit)
    this.#lastMicros = micros
    this.#frame(window, at + 16, captured, view.getUint32(at + 12, little), described)
    return null
  }

  #simplePacket(window: Window, begin: number, end: number): string | null {
    if (begin + 12 > end) return 'a packet block is too short'
    if (this.#interfaces.length === 0) return 'a packet comes before its interface is described'
    const described = this.#interfaces[0]
    const onWire = window.view.getUint32(begin + 8, this.#little)
    const captured = Math.min(onWire, described.snapLength, end - (begin + 12))
    this.#frame(window, begin + 12, captured, onWire, described)
    return null
  }

  #frame(window: Window, at: number, captured: number, onWire: number, described: SectionInterface): void {
    if (described.id < 0) described.id = this.#host.interfaceId(described.name)
    const { sink } = this.#host
    sink.stamp.micros = this.#lastMicros
    sink.frame(window.bytes, window.view, at, captured, Math.max(captured, onWire), described.linkType, described.id)
  }

  /**
   * Reports damage and continues after the block; if its length is not plausible (`length` 0), searches for another
   * block.
   *
   * @returns true: reading continues
   */
  #damaged(window: Window, reason: string, length: number): true {
    this.#stopped = !this.#host.damage(window.offset, reason)
    if (length === 0) {
      this.#lost = true
      window.begin++
    } else window.skip(length)
    return true
  }
}
