/**
 * Puts fragmented packets together again: IPv4 (RFC 791 §3.2) and IPv6 (RFC 8200 §4.5).
 *
 * The first copy of a byte wins. Three bounds hold, and what falls to them is counted in frames: datagrams waiting at
 * once (the oldest gives way), a datagram's size (64 KiB, the format's own), and its age in packet time.
 *
 * Thread: the capture worker's. TCP rarely meets fragments, so this is written for size, not for speed.
 */
import { IPV6_HEADER_BYTES, type PacketDecoder } from './ip.ts'

const MAX_DATAGRAMS = 64
/** RFC 791 and RFC 8200 allow 15 to 60 s; Linux takes 30 s for IPv4 and 60 s for IPv6. */
const MAX_AGE_MICROS = 30e6
const MAX_PACKET_BYTES = 65535
const IPV4_HEADER_BYTES = 20
/** Fragments lie on a grid of 8 bytes. */
const UNIT = 8
const MAX_UNITS = Math.ceil(MAX_PACKET_BYTES / UNIT)
/** The longest key: interface, identification, protocol, version, two IPv6 addresses. */
const KEY_BYTES = 4 + 4 + 1 + 1 + 32

/** One packet being put together. Its memory is kept for the next one. */
interface Datagram {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly have: Uint8Array
  readonly key: Uint8Array
  headerLength: number
  /** Data length of the whole, 0 while the last fragment is missing. */
  total: number
  /** Units received, and the end of the farthest one. */
  units: number
  extent: number
  frames: number
  startMicros: number
}

const newDatagram = (): Datagram => {
  const bytes = new Uint8Array((MAX_PACKET_BYTES + IPV6_HEADER_BYTES + UNIT) & ~7)
  return {
    bytes,
    view: new DataView(bytes.buffer),
    have: new Uint8Array(MAX_UNITS),
    key: new Uint8Array(KEY_BYTES),
    headerLength: 0,
    total: 0,
    units: 0,
    extent: 0,
    frames: 0,
    startMicros: 0,
  }
}

export class FragmentTable {
  /** Oldest first. */
  readonly #open: Datagram[] = []
  readonly #spare: Datagram[] = []
  readonly #key = new Uint8Array(KEY_BYTES)
  readonly #keyView = new DataView(this.#key.buffer)
  #dropped = 0

  /** The packet that `add` completed, without a link layer; valid until the next `add`. */
  packetBytes: Uint8Array = new Uint8Array(0)
  packetView: DataView = new DataView(new ArrayBuffer(0))
  packetLength = 0
  /** Frames the completed packet came in, the last one included. */
  frames = 0

  /**
   * Takes the fragment that the decoder has just found.
   *
   * @returns true when it completed its packet
   */
  add(bytes: Uint8Array, decoder: PacketDecoder, micros: number, interfaceId: number): boolean {
    this.#expire(micros)
    this.#setKey(bytes, decoder, interfaceId)
    const datagram = this.#find() ?? this.#begin(bytes, decoder, micros)
    datagram.frames++
    const position = decoder.fragmentPosition
    const length = decoder.endOffset - decoder.fragmentDataOffset
    if (!acceptable(datagram, decoder, position, length)) {
      this.#drop(datagram)
      return false
    }
    if (!decoder.moreFragments && !decoder.truncated && datagram.total === 0) datagram.total = position + length
    place(datagram, bytes, decoder.fragmentDataOffset, position, length, decoder.moreFragments || decoder.truncated)
    if (datagram.total === 0 || datagram.units < Math.ceil(datagram.total / UNIT)) return false
    this.#complete(datagram, decoder.version)
    return true
  }

  /** @returns frames given up since last asked */
  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  /** Gives up everything incomplete. @returns its frames */
  clear(): number {
    while (this.#open.length > 0) this.#drop(this.#open[0])
    return this.takeDropped()
  }

  #expire(micros: number): void {
    while (this.#open.length > 0 && micros - this.#open[0].startMicros > MAX_AGE_MICROS) this.#drop(this.#open[0])
  }

  /** RFC 791: addresses, protocol, identification; RFC 8200: addresses, identification. And where it was seen. */
  #setKey(bytes: Uint8Array, decoder: PacketDecoder, interfaceId: number): void {
    const ip = decoder.ipOffset
    const v4 = decoder.version === 4
    this.#key.fill(0)
    this.#keyView.setInt32(0, interfaceId)
    this.#keyView.setUint32(4, decoder.fragmentId)
    this.#key[8] = v4 ? decoder.fragmentProtocol : 0
    this.#key[9] = decoder.version
    const addresses = ip + (v4 ? 12 : 8)
    const length = v4 ? 8 : 32
    for (let i = 0; i < length; i++) this.#key[10 + i] = bytes[addresses + i]
  }

  #find(): Datagram | undefined {
    return this.#open.find((datagram) => datagram.key.every((byte, i) => byte === this.#key[i]))
  }

  #begin(bytes: Uint8Array, decoder: PacketDecoder, micros: number): Datagram {
    if (this.#open.length === MAX_DATAGRAMS) this.#drop(this.#open[0])
    const datagram = this.#spare.pop() ?? newDatagram()
    datagram.key.set(this.#key)
    datagram.have.fill(0)
    datagram.headerLength = decoder.version === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES
    datagram.total = 0
    datagram.units = 0
    datagram.extent = 0
    datagram.frames = 0
    datagram.startMicros = micros
    for (let i = 0; i < datagram.headerLength; i++) datagram.bytes[i] = bytes[decoder.ipOffset + i]
    // Options and extension headers before the fragment header stay behind: nothing downstream reads them.
    if (decoder.version === 4) datagram.bytes[0] = 0x45
    else datagram.bytes[6] = decoder.fragmentProtocol
    this.#open.push(datagram)
    return datagram
  }

  #complete(datagram: Datagram, version: number): void {
    this.packetBytes = datagram.bytes
    this.packetView = datagram.view
    this.packetLength = datagram.headerLength + datagram.total
    this.frames = datagram.frames
    if (version === 4) {
      datagram.view.setUint16(2, this.packetLength)
      datagram.view.setUint16(6, 0)
    } else {
      datagram.view.setUint16(4, datagram.total)
    }
    this.#release(datagram)
  }

  #drop(datagram: Datagram): void {
    this.#dropped += datagram.frames
    this.#release(datagram)
  }

  #release(datagram: Datagram): void {
    this.#open.splice(this.#open.indexOf(datagram), 1)
    this.#spare.push(datagram)
  }
}

/** A middle fragment is whole units long, and nothing goes beyond the packet's end or the format's. */
function acceptable(datagram: Datagram, decoder: PacketDecoder, position: number, length: number): boolean {
  if (decoder.moreFragments && !decoder.truncated && (length & 7) !== 0) return false
  const end = position + length
  if (end > MAX_PACKET_BYTES - (decoder.version === 4 ? IPV4_HEADER_BYTES : 0)) return false
  if (datagram.total !== 0)
    return decoder.moreFragments || decoder.truncated ? end <= datagram.total : end === datagram.total
  return decoder.moreFragments || datagram.extent <= end
}

/** Copies the units not yet there. With `whole`, a cut unit at the end does not count as received. */
function place(
  datagram: Datagram,
  bytes: Uint8Array,
  from: number,
  position: number,
  length: number,
  whole: boolean,
): void {
  const units = whole ? length >> 3 : (length + 7) >> 3
  const first = position >> 3
  datagram.extent = Math.max(datagram.extent, position + length)
  for (let unit = 0; unit < units; unit++) {
    if (datagram.have[first + unit] === 1) continue
    datagram.have[first + unit] = 1
    datagram.units++
    const stop = Math.min(length, (unit + 1) * UNIT)
    for (let i = unit * UNIT; i < stop; i++) datagram.bytes[datagram.headerLength + position + i] = bytes[from + i]
  }
}
