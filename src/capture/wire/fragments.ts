/**
 * Reassembles fragmented packets: IPv4 (RFC 791 §3.2) and IPv6 (RFC 8200 §4.5).
 *
 * The first copy of a byte wins. Three bounds apply, and frames dropped by them are counted: the number of incomplete
 * datagrams (the oldest is dropped), a datagram's size (64 KiB, the format's own limit), and its age in packet time.
 *
 * A datagram whose first fragment shows that it cannot hold TCP (UDP that is not a tunnel) keeps its slot until it is
 * complete, so that its other fragments are recognised; its bytes are not stored.
 *
 * Thread: the capture worker's. Nothing is allocated once MAX_DATAGRAMS are in use.
 */
import { IPV6_HEADER_BYTES, type PacketDecoder } from './packet-decoder.ts'

const MAX_DATAGRAMS = 64
/** RFC 791 and RFC 8200 allow 15 to 60 s; Linux waits 30 s for IPv4 and 60 s for IPv6. */
const MAX_AGE_MICROS = 30e6
const MAX_PACKET_BYTES = 65535
const IPV4_HEADER_BYTES = 20
/** Fragment offsets are multiples of 8 bytes. */
const UNIT = 8
const MAX_UNITS = Math.ceil(MAX_PACKET_BYTES / UNIT)
/** Words of a key: interface, network, identification, protocol and version, two addresses of up to four words. */
const KEY_WORDS = 12

/** Results of `add`. */
const WAITING = 0
/** The packet is complete. */
export const COMPLETE = 1
/** The packet cannot hold TCP; `frames` is the number of its frames that are now accounted for. */
export const UNWANTED = 2
/** The fragment was dropped, and its datagram with it; `drainDropped` returns the number of frames. */
const DROPPED = 3
export type FragmentResult = typeof WAITING | typeof COMPLETE | typeof UNWANTED | typeof DROPPED

/** One incomplete packet. Its memory is reused. */
class Datagram {
  readonly bytes = new Uint8Array((MAX_PACKET_BYTES + IPV6_HEADER_BYTES + UNIT) & ~7)
  readonly view = new DataView(this.bytes.buffer)
  readonly have = new Uint8Array(MAX_UNITS)
  readonly key = new Int32Array(KEY_WORDS)
  hash = 0
  unwanted = false
  headerLength = 0
  /** Data length of the whole, 0 while the last fragment is missing. */
  total = 0
  /** Units received, and the end of the farthest one. */
  units = 0
  extent = 0
  /** Frames to be accounted for with this datagram. */
  frames = 0
  startMicros = 0
}

export class FragmentTable {
  /** Oldest first. */
  readonly #open: Datagram[] = []
  readonly #spare: Datagram[] = []
  /** The datagram completed last; its bytes are valid until the next one is complete. */
  #completed: Datagram | null = null
  readonly #key = new Int32Array(KEY_WORDS)
  #hash = 0
  #dropped = 0

  /** The packet that `add` completed, without a link layer; valid until `add` completes another. */
  packetBytes: Uint8Array = new Uint8Array(0)
  packetView: DataView = new DataView(new ArrayBuffer(0))
  packetLength = 0
  /** Frames of the packet that `add` completed or found unwanted. */
  frames = 0

  /** Adds the fragment that the decoder has just found in `bytes`, of which `view` is a view. */
  add(bytes: Uint8Array, view: DataView, decoder: PacketDecoder, micros: number, interfaceId: number): FragmentResult {
    this.#expire(micros)
    this.#setKey(view, decoder, interfaceId)
    const datagram = this.#find() ?? this.#begin(bytes, decoder, micros)
    datagram.frames++
    const position = decoder.fragmentPosition
    const length = decoder.endOffset - decoder.fragmentDataOffset
    if (!acceptable(datagram, decoder, position, length)) {
      this.#drop(datagram)
      return DROPPED
    }
    const more = decoder.moreFragments || decoder.truncated
    if (!more && datagram.total === 0) datagram.total = position + length
    if (!decoder.fragmentWanted) datagram.unwanted = true
    place(datagram, bytes, decoder.fragmentDataOffset, position, length, more)
    const complete = datagram.total !== 0 && datagram.units >= Math.ceil(datagram.total / UNIT)
    if (datagram.unwanted) return this.#settleUnwanted(datagram, complete)
    if (!complete) return WAITING
    this.#complete(datagram, decoder.version)
    return COMPLETE
  }

  /** @returns frames dropped since the last call */
  drainDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  /** Drops all incomplete datagrams. @returns the number of their frames */
  clear(): number {
    while (this.#open.length > 0) this.#drop(this.#open[0])
    return this.drainDropped()
  }

  #expire(micros: number): void {
    while (this.#open.length > 0 && micros - this.#open[0].startMicros > MAX_AGE_MICROS) this.#drop(this.#open[0])
  }

  /** RFC 791: addresses, protocol, identification; RFC 8200: addresses, identification. Plus interface and network. */
  #setKey(view: DataView, decoder: PacketDecoder, interfaceId: number): void {
    const key = this.#key
    const v4 = decoder.version === 4
    const addresses = decoder.ipOffset + (v4 ? 12 : 8)
    key[0] = interfaceId
    key[1] = decoder.network
    key[2] = decoder.fragmentId
    key[3] = (v4 ? decoder.fragmentProtocol : 0) | (decoder.version << 8)
    for (let word = 0; word < 8; word++) key[4 + word] = v4 && word >= 2 ? 0 : view.getInt32(addresses + word * 4)
    let hash = 0
    for (let word = 0; word < KEY_WORDS; word++) hash = Math.imul(hash ^ key[word], 0x9e3779b1)
    this.#hash = hash
  }

  #find(): Datagram | null {
    for (const datagram of this.#open) {
      if (datagram.hash === this.#hash && sameKey(datagram.key, this.#key)) return datagram
    }
    return null
  }

  #begin(bytes: Uint8Array, decoder: PacketDecoder, micros: number): Datagram {
    if (this.#open.length === MAX_DATAGRAMS) this.#drop(this.#open[0])
    const datagram = this.#spare.pop() ?? new Datagram()
    datagram.key.set(this.#key)
    datagram.hash = this.#hash
    datagram.have.fill(0)
    datagram.unwanted = false
    datagram.headerLength = decoder.version === 4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES
    datagram.total = 0
    datagram.units = 0
    datagram.extent = 0
    datagram.frames = 0
    datagram.startMicros = micros
    for (let i = 0; i < datagram.headerLength; i++) datagram.bytes[i] = bytes[decoder.ipOffset + i]
    // Options and extension headers before the fragment header are omitted: nothing downstream reads them.
    if (decoder.version === 4) datagram.bytes[0] = 0x45
    else datagram.bytes[6] = decoder.fragmentProtocol
    this.#open.push(datagram)
    return datagram
  }

  /** Accounts for the frames that arrived before it was known to be unwanted, and for this one. */
  #settleUnwanted(datagram: Datagram, complete: boolean): FragmentResult {
    this.frames = datagram.frames
    datagram.frames = 0
    if (complete) this.#release(datagram)
    return UNWANTED
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
    this.#open.splice(this.#open.indexOf(datagram), 1)
    if (this.#completed !== null) this.#spare.push(this.#completed)
    this.#completed = datagram
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

function sameKey(a: Int32Array, b: Int32Array): boolean {
  for (let word = 0; word < KEY_WORDS; word++) if (a[word] !== b[word]) return false
  return true
}

/** Only the last fragment may end within a unit, and none may pass the packet's end or the format's limit. */
function acceptable(datagram: Datagram, decoder: PacketDecoder, position: number, length: number): boolean {
  if (decoder.moreFragments && !decoder.truncated && (length & 7) !== 0) return false
  const end = position + length
  if (end > MAX_PACKET_BYTES - (decoder.version === 4 ? IPV4_HEADER_BYTES : 0)) return false
  if (datagram.total !== 0)
    return decoder.moreFragments || decoder.truncated ? end <= datagram.total : end === datagram.total
  return decoder.moreFragments || datagram.extent <= end
}

/** Copies the units that are still missing. With `more`, an incomplete unit at the end does not count as received. */
function place(
  datagram: Datagram,
  bytes: Uint8Array,
  from: number,
  position: number,
  length: number,
  more: boolean,
): void {
  const units = more ? length >> 3 : (length + 7) >> 3
  const first = position >> 3
  datagram.extent = Math.max(datagram.extent, position + length)
  for (let unit = 0; unit < units; unit++) {
    if (datagram.have[first + unit] === 1) continue
    datagram.have[first + unit] = 1
    datagram.units++
    if (datagram.unwanted) continue
    const stop = Math.min(length, (unit + 1) * UNIT)
    for (let i = unit * UNIT; i < stop; i++) datagram.bytes[datagram.headerLength + position + i] = bytes[from + i]
  }
}
