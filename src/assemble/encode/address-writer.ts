/** Writes IP addresses as ASCII text, without a MessagePack header. */
import type { Arena } from '../memory/arena.ts'

/** Longest text of an address. */
export const ADDRESS_BYTES = 45

/** The decimal digits of each octet and a dot, as one little-endian word, and their number of bytes. */
const OCTETS = new Int32Array(256)
const OCTET_BYTES = new Uint8Array(256)
for (let octet = 0; octet < 256; octet++) {
  const text = `${octet}.`
  OCTET_BYTES[octet] = text.length
  for (let i = 0; i < text.length; i++) OCTETS[octet] |= text.charCodeAt(i) << (i * 8)
}

const COLON = 58

export class AddressWriter {
  readonly #arena: Arena
  readonly #groups = new Uint16Array(8)

  constructor(arena: Arena) {
    this.#arena = arena
  }

  /** Writes a big-endian word in dotted decimal; may overwrite one byte after it. @returns the address after it */
  ipv4(to: number, word: number): number {
    const view = this.#arena.view
    let at = to
    for (let shift = 24; shift >= 0; shift -= 8) {
      const octet = (word >>> shift) & 255
      view.setInt32(at, OCTETS[octet], true)
      at += OCTET_BYTES[octet]
    }
    return at - 1
  }

  /**
   * Writes four big-endian words in canonical text (RFC 5952 §4; IPv4-mapped in mixed notation, §5).
   *
   * @returns as ipv4
   */
  ipv6(to: number, word0: number, word1: number, word2: number, word3: number): number {
    const groups = this.#groups
    groups[0] = word0 >>> 16
    groups[1] = word0
    groups[2] = word1 >>> 16
    groups[3] = word1
    groups[4] = word2 >>> 16
    groups[5] = word2
    groups[6] = word3 >>> 16
    groups[7] = word3
    const bytes = this.#arena.bytes
    if (word0 === 0 && word1 === 0 && word2 === 0xffff) {
      let at = to
      bytes[at++] = COLON
      bytes[at++] = COLON
      at = this.#hex(at, 0xffff)
      bytes[at++] = COLON
      return this.ipv4(at, word3)
    }
    return this.#groupsText(to)
  }

  /** Writes groups in hexadecimal; the first longest run of two or more zero groups becomes "::". */
  #groupsText(to: number): number {
    const { bytes } = this.#arena
    const groups = this.#groups
    let runStart = -1
    let runLength = 1
    for (let i = 0; i < 8; i++) {
      let length = 0
      while (i + length < 8 && groups[i + length] === 0) length++
      if (length > runLength) {
        runStart = i
        runLength = length
      }
      i += length
    }
    let at = to
    for (let i = 0; i < 8; i++) {
      if (i === runStart) {
        bytes[at++] = COLON
        bytes[at++] = COLON
        i += runLength - 1
        continue
      }
      const afterRun = runStart >= 0 && i === runStart + runLength
      if (i > 0 && !afterRun) bytes[at++] = COLON
      at = this.#hex(at, groups[i])
    }
    return at
  }

  #hex(to: number, group: number): number {
    const bytes = this.#arena.bytes
    let at = to
    for (let shift = group > 0xfff ? 12 : group > 0xff ? 8 : group > 0xf ? 4 : 0; shift >= 0; shift -= 4) {
      bytes[at++] = hexDigit((group >>> shift) & 15)
    }
    return at
  }
}

/** ASCII of a hexadecimal digit. */
const hexDigit = (value: number): number => (value < 10 ? 48 + value : 87 + value)
