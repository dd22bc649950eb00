/**
 * Runs generated frames through a temporary ring reader and intake, so that live capture does not begin with cold code: until V8
 * has optimised it, a burst arrives faster than it leaves the kernel's ring. bench/README.md has the figures.
 */

import { allocateCounters, CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../ring/byte-ring.ts'
import { Doorbell } from '../../ring/doorbell.ts'
import {
  BLOCK_FIRST_PACKET,
  BLOCK_LENGTH,
  BLOCK_NUMBER,
  BLOCK_PACKETS,
  BLOCK_STATUS,
  PACKET_CAPTURED,
  PACKET_LENGTH,
  PACKET_MAC,
  PACKET_NEXT,
  PACKET_SECONDS,
  TP_STATUS_USER,
} from '../../sys/packet.ts'
import { Control } from '../../thread/control.ts'
import { Intake } from '../intake/intake.ts'
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../wire/link-types.ts'
import { RING_PROGRESS_WORDS } from '../worker-data.ts'
import { RingReader } from './ring-reader.ts'

/** After this many frames every function has run with common values. */
const LEAST_FRAMES = 3_000
/** After this many frames V8 has optimised nearly everything. */
const MOST_FRAMES = 60_000
const BLOCK_BYTES = 64 * 1024
const FRAMES_IN_BLOCK = 48
const BLOCK_HEADER_BYTES = 48
const PACKET_HEADER_BYTES = 82
const RING_BYTES = 256 * 1024
const LARGEST_PAYLOAD = 1100
const ETHERNET_BYTES = 14
const HEADERS_BYTES = 40

export class CaptureWarmUp {
  /** A CAPTURE_COUNTERS block. */
  readonly counters = allocateCounters(CAPTURE_COUNTERS)
  readonly #intake: Intake
  readonly #consumers: readonly RingConsumer[]
  readonly #readers = [LINKTYPE_ETHERNET, LINKTYPE_RAW].map(readerOfBlock)

  /** @param ringCount the number of rings of the real intake */
  constructor(ringCount: number) {
    const shared = Array.from({ length: ringCount }, () => allocateRing(RING_BYTES))
    const bell = new Doorbell(Doorbell.allocate())
    this.#consumers = shared.map((ring) => new RingConsumer(ring, null))
    this.#intake = new Intake({
      rings: shared.map((ring) => new RingProducer(ring, bell)),
      counters: this.counters,
      whenFull: 'drop',
      bell,
      control: new Control(Control.allocate()),
    })
  }

  /** Runs the part of the warm-up that capture has to wait for. */
  begin(): void {
    while (this.#frames < LEAST_FRAMES) this.step()
  }

  /** Continues for less than a millisecond. @returns false when there is nothing left to warm up */
  step(): boolean {
    if (this.#frames >= MOST_FRAMES) return false
    for (const { reader, progress } of this.#readers) {
      progress.fill(0)
      reader.deliverBlock(this.#intake)
      this.#intake.flush()
      for (const consumer of this.#consumers) consumer.release(consumer.used)
    }
    return true
  }

  get #frames(): number {
    return this.counters[CAPTURE_COUNTERS.index.seen]
  }
}

/** The reader of a ring that has one block, which is full. */
function readerOfBlock(linkType: number): { reader: RingReader; progress: Int32Array } {
  const memory = new ArrayBuffer(BLOCK_BYTES)
  const view = new DataView(memory)
  let at = BLOCK_HEADER_BYTES
  for (let i = 0; i < FRAMES_IN_BLOCK; i++) {
    const length = writeFrame(view, at + PACKET_HEADER_BYTES, linkType, i)
    const size = (PACKET_HEADER_BYTES + length + 15) & ~15
    view.setUint32(at + PACKET_NEXT, size, true)
    view.setUint32(at + PACKET_SECONDS, 1e9, true)
    view.setUint32(at + PACKET_CAPTURED, length, true)
    view.setUint32(at + PACKET_LENGTH, length, true)
    view.setUint16(at + PACKET_MAC, PACKET_HEADER_BYTES, true)
    at += size
  }
  view.setUint32(BLOCK_STATUS, TP_STATUS_USER, true)
  view.setUint32(BLOCK_PACKETS, FRAMES_IN_BLOCK, true)
  view.setUint32(BLOCK_FIRST_PACKET, BLOCK_HEADER_BYTES, true)
  view.setUint32(BLOCK_LENGTH, at, true)
  view.setBigUint64(BLOCK_NUMBER, 1n, true)
  const progress = new Int32Array(RING_PROGRESS_WORDS)
  const ring = { blockBytes: BLOCK_BYTES, blockCount: 1, linkType, interfaceId: 0, progress }
  const mesh = { proxyPort: new Int32Array(1), redirected: new Uint8Array(0) }
  return { reader: new RingReader({ ...ring, ...mesh }, memory), progress }
}

/** Writes an IPv4 TCP segment. @returns the frame's length */
function writeFrame(view: DataView, start: number, linkType: number, i: number): number {
  const payload = (i * 131) % LARGEST_PAYLOAD
  const ip = linkType === LINKTYPE_ETHERNET ? start + ETHERNET_BYTES : start
  if (linkType === LINKTYPE_ETHERNET) view.setUint16(start + 12, 0x0800)
  view.setUint8(ip, 0x45)
  view.setUint16(ip + 2, HEADERS_BYTES + payload)
  view.setUint8(ip + 9, 6)
  view.setUint32(ip + 12, 0x0a000000 + (i & 255))
  view.setUint32(ip + 16, 0x0a010000)
  view.setUint16(ip + 20, 40_000 + i)
  view.setUint16(ip + 22, 8080)
  view.setUint8(ip + 32, 0x50)
  return ip - start + HEADERS_BYTES + payload
}
