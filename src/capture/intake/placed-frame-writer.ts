/**
 * Describes frames that lie in the assembler's memory, one record each (ring/frame-place.ts). Thread: the one that
 * assembles, too.
 */
import { CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import type { FramePlace } from '../../ring/frame-place.ts'
import {
  FLOW_HASH_AT,
  INTERFACE_ID_AT,
  MAX_FRAME_BYTES,
  MICROS_AT,
  PLACED,
  PLACED_BYTES,
  PLACED_END_AT,
  PLACED_IP_AT,
  PLACED_NETWORK_AT,
  PLACED_TCP_AT,
  TAG_AT,
  TEXT_AT,
  TEXT_LENGTH_AT,
  TICK,
} from '../../ring/layout.ts'
import type { FrameStamp } from '../frame-sink.ts'
import type { PacketDecoder } from '../wire/packet-decoder.ts'
import type { FrameQueue } from './frame-queue.ts'

const C = CAPTURE_COUNTERS.index
const NOTHING = new Uint8Array(0)

/** There is always room (FramePlace). */
export class PlacedFrameWriter implements FrameQueue {
  readonly maxFrame = MAX_FRAME_BYTES
  readonly #place: FramePlace
  readonly #stamp: FrameStamp
  readonly #secret: number

  /** @param secret of the flow hash */
  constructor(place: FramePlace, stamp: FrameStamp, secret: number) {
    this.#place = place
    this.#stamp = stamp
    this.#secret = secret
  }

  put(
    bytes: Uint8Array,
    _view: DataView,
    _start: number,
    decoder: PacketDecoder,
    _hash: number,
    interfaceId: number,
    counters: Float64Array,
  ): number {
    const place = this.#place
    const { ipOffset, endOffset } = decoder
    const isElsewhere = bytes !== place.bytes
    const at = place.claim(PLACED_BYTES, isElsewhere ? endOffset - ipOffset : 0)
    // Maps offsets in `bytes` to addresses.
    const shift = isElsewhere ? place.copy(bytes, ipOffset, endOffset) - ipOffset : 0
    const { words } = place
    words[(at + TAG_AT) >> 2] = PLACED
    place.doubles[(at + MICROS_AT) >> 3] = this.#stamp.micros
    words[(at + FLOW_HASH_AT) >> 2] = this.#secret
    words[(at + INTERFACE_ID_AT) >> 2] = interfaceId
    words[(at + PLACED_IP_AT) >> 2] = ipOffset + shift
    words[(at + PLACED_TCP_AT) >> 2] = decoder.tcpOffset + shift
    words[(at + PLACED_END_AT) >> 2] = endOffset + shift
    words[(at + PLACED_NETWORK_AT) >> 2] = decoder.network
    place.commit(PLACED_BYTES)
    counters[C.queued]++
    return PLACED_BYTES
  }

  hasRoom(): boolean {
    return true
  }

  control(tag: number, interfaceId: number, payload: Uint8Array, micros = this.#stamp.micros): void {
    const place = this.#place
    const length = TEXT_AT + payload.length
    const at = place.claim(length)
    place.words[(at + TAG_AT) >> 2] = tag
    place.doubles[(at + MICROS_AT) >> 3] = micros
    place.words[(at + TEXT_LENGTH_AT) >> 2] = payload.length
    place.words[(at + INTERFACE_ID_AT) >> 2] = interfaceId
    place.bytes.set(payload, at + TEXT_AT)
    place.commit(length)
  }

  writeWaiting(): boolean {
    return true
  }

  tick(): void {
    this.control(TICK, 0, NOTHING)
  }

  flush(): void {}

  close(): void {
    this.#place.close()
  }
}
