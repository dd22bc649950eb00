/**
 * Writes FRAME and control records (ring/layout.ts) to one assembler's ring.
 *
 * Thread: the capture worker's. Control records are never lost: while the ring is full they wait here, and no frame is
 * written before them.
 */

import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { FLAG_FIN, FLAG_RST, FLAG_SYN, FLAGS_AT, HEADER_BYTES, headerBytes } from '../../net/tcp-header.ts'
import { FULL, type RingProducer } from '../../ring/byte-ring.ts'
import {
  END_OFFSET_AT,
  FLOW_HASH_AT,
  FRAME,
  FRAME_FIELDS_BYTES,
  INTERFACE_ID_AT,
  IP_OFFSET_AT,
  MARK_AT,
  MAX_FRAME_BYTES,
  MICROS_AT,
  NETWORK_AT,
  TAG_AT,
  TCP_OFFSET_AT,
  TEXT_AT,
  TEXT_LENGTH_AT,
  TICK,
} from '../../ring/layout.ts'
import { connectionCheck, type OpaqueMarks } from '../../ring/opaque-marks.ts'
import type { FrameStamp } from '../frame-sink.ts'
import type { PacketDecoder } from '../wire/packet-decoder.ts'
import type { FrameBytes } from './frame-bytes.ts'
import type { FrameQueue } from './frame-queue.ts'

interface ControlRecord {
  tag: number
  micros: number
  interfaceId: number
  payload: Uint8Array
}

const C = CAPTURE_COUNTERS.index

export class FrameRingWriter implements FrameQueue {
  readonly maxFrame: number
  readonly #ring: RingProducer
  readonly #stamp: FrameStamp
  readonly #source: FrameBytes
  readonly #halves: Uint16Array
  readonly #waiting: ControlRecord[] = []
  readonly #marks: OpaqueMarks | null
  /** The word MARK_AT of the record in progress. */
  #mark = 0

  /**
   * @param source may serve several writers
   * @param marks the connections whose payload the ring's assembler does not need; null: it needs all
   */
  constructor(ring: RingProducer, stamp: FrameStamp, source: FrameBytes, marks: OpaqueMarks | null) {
    this.#ring = ring
    this.#source = source
    this.#marks = marks
    this.#stamp = stamp
    this.#halves = new Uint16Array(ring.bytes.buffer, ring.bytes.byteOffset, ring.bytes.byteLength >> 1)
    this.maxFrame = Math.min(MAX_FRAME_BYTES, ring.maxRecord - FRAME_FIELDS_BYTES - 8)
  }

  /** True when no control record waits, so that a frame may be written. */
  get #ready(): boolean {
    return this.#waiting.length === 0 || this.writeWaiting()
  }

  put(
    bytes: Uint8Array,
    view: DataView,
    start: number,
    decoder: PacketDecoder,
    hash: number,
    interfaceId: number,
    counters: Float64Array,
  ): number {
    // Also of a frame without room: it may begin a generation of marks.
    const end = this.#bound(view, decoder, hash, interfaceId)
    if (!this.#ready) return 0
    const ring = this.#ring
    const at = ring.tryClaim(FRAME_FIELDS_BYTES + (start & 7) + end - start)
    if (at === FULL) return 0
    // Maps offsets of the source to offsets of the record. Records begin at multiples of 8, so both stay congruent.
    const shift = FRAME_FIELDS_BYTES - (start & ~7)
    ring.words[(at + TAG_AT) >> 2] = FRAME
    ring.doubles[(at + MICROS_AT) >> 3] = this.#stamp.micros
    ring.words[(at + FLOW_HASH_AT) >> 2] = hash
    ring.words[(at + INTERFACE_ID_AT) >> 2] = interfaceId
    this.#halves[(at + IP_OFFSET_AT) >> 1] = decoder.ipOffset + shift
    this.#halves[(at + TCP_OFFSET_AT) >> 1] = decoder.tcpOffset + shift
    ring.words[(at + END_OFFSET_AT) >> 2] = end + shift
    ring.words[(at + NETWORK_AT) >> 2] = decoder.network
    ring.words[(at + MARK_AT) >> 2] = this.#mark
    this.#source.use(bytes)
    this.#source.copy(start, end, ring, at + start + shift)
    ring.commit(counters, C.queued)
    return end - start + FRAME_FIELDS_BYTES
  }

  hasRoom(bytes: number): boolean {
    const { capacity, free } = this.#ring
    const control = this.#waiting.length > 0 ? TEXT_AT + this.#waiting[0].payload.length : 0
    // Twice the size, because a record may need padding of up to its own size at the wrap.
    return free >= Math.min(2 * Math.max(bytes, control), capacity)
  }

  tick(): void {
    this.tryControl(TICK)
    this.#ring.publish()
  }

  flush(): void {
    this.writeWaiting()
    this.#ring.flush()
  }

  close(): void {
    this.#ring.close()
  }

  /**
   * Decides how much of the packet that the decoder has just found the record will hold.
   *
   * @returns one past the last byte to copy from the source
   */
  #bound(view: DataView, decoder: PacketDecoder, hash: number, interfaceId: number): number {
    const end = decoder.endOffset
    const marks = this.#marks
    this.#mark = 0
    if (marks === null) return end
    const tcp = decoder.tcpOffset
    const bytes = headerBytes(view, tcp)
    if ((view.getUint8(tcp + FLAGS_AT) & (FLAG_FIN | FLAG_SYN | FLAG_RST)) !== 0) marks.beginGeneration(hash)
    else if (marks.mayHold(hash) && bytes >= HEADER_BYTES && tcp + bytes < end) {
      const check = connectionCheck(view, decoder.ipOffset, tcp, interfaceId, decoder.network)
      if (marks.holds(hash, check)) {
        this.#mark = tcp + bytes - end
        return tcp + bytes
      }
    }
    this.#mark = marks.generation(hash)
    return end
  }

  control(tag: number, interfaceId: number, payload: Uint8Array, micros = this.#stamp.micros): void {
    const record = { tag, micros, interfaceId, payload }
    if (!this.#ready || !this.#write(record)) this.#waiting.push(record)
  }

  /** Writes a control record that may be lost. @returns false when there was no room */
  tryControl(tag: number): boolean {
    return this.#ready && this.#write({ tag, micros: this.#stamp.micros, interfaceId: 0, payload: NOTHING })
  }

  writeWaiting(): boolean {
    const waiting = this.#waiting
    let count = 0
    while (count < waiting.length && this.#write(waiting[count])) count++
    waiting.splice(0, count)
    return waiting.length === 0
  }

  #write(record: ControlRecord): boolean {
    const ring = this.#ring
    const at = ring.tryClaim(TEXT_AT + record.payload.length)
    if (at === FULL) return false
    ring.words[(at + TAG_AT) >> 2] = record.tag
    ring.doubles[(at + MICROS_AT) >> 3] = record.micros
    ring.words[(at + TEXT_LENGTH_AT) >> 2] = record.payload.length
    ring.words[(at + INTERFACE_ID_AT) >> 2] = record.interfaceId
    ring.bytes.set(record.payload, at + TEXT_AT)
    ring.commit()
    return true
  }
}

const NOTHING = new Uint8Array(0)
