/**
 * Reads pcap files (draft-ietf-opsawg-pcap; pcap-savefile(5)): both byte orders, micro- and nanoseconds, and the
 * modified format of Kuznetzov's libpcap patch, whose record headers are 8 bytes longer.
 */
import { LINKTYPE_ETHERNET } from '../wire/link-types.ts'
import type { FormatHost, FormatReader } from './format.ts'
import { MAX_RECORD_BYTES } from './format.ts'
import { findRecord, type RecordShape } from './pcap-resync.ts'
import type { Window } from './window.ts'

const MAGIC_MICROS = 0xa1b2c3d4
const MAGIC_NANOS = 0xa1b23c4d
const MAGIC_MODIFIED = 0xa1b2cd34
const FILE_HEADER_BYTES = 24
const RECORD_HEADER_BYTES = 16
const MODIFIED_RECORD_HEADER_BYTES = 24
/** Most records that are decoded one by one before it is asked again whether plain frames follow: asking costs as much as decoding. */
const MOST_UNASKED = 64
/** Readers of the format accept records of this length even if the file header claims less. */
const USUAL_MAX_BYTES = 512 * 1024

const isMagic = (magic: number): boolean => magic === MAGIC_MICROS || magic === MAGIC_NANOS || magic === MAGIC_MODIFIED

/** @returns true when the four bytes at `at` begin a pcap file, in either byte order */
export const isPcap = (view: DataView, at: number): boolean =>
  isMagic(view.getUint32(at)) || isMagic(view.getUint32(at, true))

export class PcapReader implements FormatReader {
  readonly #host: FormatHost
  #shape: RecordShape | null = null
  #linkType = 0
  #interfaceId = 0
  /** Times of the first and the last record, for `resync` after damage; -1 before the first. */
  #firstSeconds = -1
  #lastSeconds = -1
  #lost = false
  #stopped = false
  /** Records until it is asked again whether plain frames follow, and how many there were, plus one, since they last did. */
  #unasked = 0
  #askAfter = 1

  constructor(host: FormatHost) {
    this.#host = host
  }

  read(window: Window): void {
    this.#advance(window, false)
  }

  end(window: Window): void {
    this.#advance(window, true)
    const left = window.available
    if (this.#stopped || left === 0) return
    if (this.#shape === null) this.#host.damage(window.offset, 'the file header is truncated')
    else if (!this.#lost) {
      this.#host.damage(
        window.offset,
        `the file is truncated: ${left} of the last record's ${window.wanted} bytes are present`,
      )
    }
  }

  #advance(window: Window, ended: boolean): void {
    while (!this.#stopped) {
      if (this.#shape === null && !this.#fileHeader(window)) return
      if (this.#lost && !this.#findAgain(window, ended)) return
      if (!this.#records(window)) return
      // Captures joined with `cat`, or their gzip members: a file header follows where a record is expected.
      if (isPcap(window.view, window.begin)) this.#shape = null
      else this.#lose(window)
    }
    window.skip(window.available)
    window.wanted = 1
  }

  /** @returns false when the header is incomplete */
  #fileHeader(window: Window): boolean {
    window.wanted = FILE_HEADER_BYTES
    if (window.available < FILE_HEADER_BYTES) return false
    const { view, begin } = window
    const little = isMagic(view.getUint32(begin, true))
    const magic = view.getUint32(begin, little)
    const version = (view.getUint16(begin + 4, little) << 16) | view.getUint16(begin + 6, little)
    const snapLength = view.getUint32(begin + 16, little)
    this.#shape = {
      little,
      headerBytes: magic === MAGIC_MODIFIED ? MODIFIED_RECORD_HEADER_BYTES : RECORD_HEADER_BYTES,
      // Before version 2.3 the two lengths are in the other order, and in 2.3 in either (libpcap, sf-pcap.c).
      swapped: version < 0x20003 && version >= 0x20000,
      mayBeSwapped: version === 0x20003,
      fractionsPerMicro: magic === MAGIC_NANOS ? 1000 : 1,
      maxLength: Math.min(MAX_RECORD_BYTES, Math.max(USUAL_MAX_BYTES, snapLength)),
    }
    // The upper bits hold the length of the frames' check sequences; packets are cut to their IP length later.
    this.#linkType = view.getUint32(begin + 20, little) & 0xffff
    this.#interfaceId = this.#host.interfaceId(null)
    window.skip(FILE_HEADER_BYTES)
    window.wanted = this.#shape.headerBytes
    return true
  }

  /** Passes every whole record to the sink. @returns true when something else follows, false when it needs more bytes */
  #records(window: Window): boolean {
    const { little, headerBytes, swapped, mayBeSwapped, fractionsPerMicro, maxLength } = this.#shape!
    const { bytes, view, end } = window
    const { sink } = this.#host
    const linkType = this.#linkType
    const interfaceId = this.#interfaceId
    let at = window.begin
    let other = false
    window.wanted = headerBytes
    const isUsual = little && !swapped && !mayBeSwapped && linkType === LINKTYPE_ETHERNET
    const records = { bytes, at, end, shape: this.#shape!, interfaceId }
    while (at + headerBytes <= end) {
      if (isUsual && --this.#unasked < 0) {
        records.at = at
        const next = sink.plainFrames(records)
        this.#expectPlain(next !== at)
        if (next !== at) {
          this.#noteSeconds(view.getUint32(at, little), Math.floor(sink.stamp.micros / 1e6))
          at = next
          continue
        }
      }
      const seconds = view.getUint32(at, little)
      const fraction = view.getUint32(at + 4, little)
      let captured = view.getUint32(at + (swapped ? 12 : 8), little)
      let onWire = view.getUint32(at + (swapped ? 8 : 12), little)
      if (mayBeSwapped && captured > onWire) {
        const swap = captured
        captured = onWire
        onWire = swap
      }
      // Both lengths are 0: zeros where a block of the file is missing, or a file header.
      const empty = captured === 0 && onWire === 0 && (seconds === 0 || isPcap(view, at))
      if (empty || captured > maxLength) {
        other = true
        break
      }
      const frame = at + headerBytes
      if (frame + captured > end) {
        window.wanted = headerBytes + captured
        break
      }
      sink.stamp.micros = seconds * 1e6 + (fractionsPerMicro === 1 ? fraction : (fraction / fractionsPerMicro) >>> 0)
      sink.frame(bytes, view, frame, captured, Math.max(onWire, captured), linkType, interfaceId)
      this.#noteSeconds(seconds, seconds)
      at = frame + captured
    }
    window.begin = at
    return other
  }

  /** Notes an answer: where all frames are tagged, for example, it is always the same. */
  #expectPlain(wasPlain: boolean): void {
    this.#unasked = wasPlain ? 0 : this.#askAfter - 1
    this.#askAfter = wasPlain ? 1 : Math.min(2 * this.#askAfter, MOST_UNASKED)
  }

  /** Notes the times of records that were passed on. */
  #noteSeconds(first: number, last: number): void {
    if (this.#firstSeconds < 0) this.#firstSeconds = first
    this.#lastSeconds = last
  }

  #lose(window: Window): void {
    this.#lost = true
    const { little, swapped } = this.#shape!
    const length = window.view.getUint32(window.begin + (swapped ? 12 : 8), little)
    this.#stopped = !this.#host.damage(window.offset, `a record header is damaged (it claims ${length} bytes)`)
    window.begin++
  }

  /** @returns true once `window` begins with a record again; false when it needs more bytes, or there is none */
  #findAgain(window: Window, ended: boolean): boolean {
    const found = findRecord(window, this.#shape!, this.#firstSeconds, this.#lastSeconds, ended)
    this.#lost = !found
    return found
  }
}
