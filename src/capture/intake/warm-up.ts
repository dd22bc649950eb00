/**
 * Runs generated frames through a temporary intake, so that live capture does not begin with cold code. assemble/warm-up.ts
 * has the figures.
 */

import { allocateCounters, CAPTURE_COUNTERS } from '../../ledger/counters.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../ring/byte-ring.ts'
import { Doorbell } from '../../ring/doorbell.ts'
import { Control } from '../../thread/control.ts'
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from '../wire/link-types.ts'
import { Intake } from './intake.ts'

const FRAMES = 3_000
const BATCH = 64
const RING_BYTES = 256 * 1024
const LARGEST_PAYLOAD = 1448
const ETHERNET_BYTES = 14
const HEADERS_BYTES = 40

/** @param ringCount the number of rings of the real intake */
export function warmUpIntake(ringCount: number): void {
  const shared = Array.from({ length: ringCount }, () => allocateRing(RING_BYTES))
  const bell = new Doorbell(Doorbell.allocate())
  const consumers = shared.map((ring) => new RingConsumer(ring, null))
  const intake = new Intake({
    rings: shared.map((ring) => new RingProducer(ring, bell)),
    counters: allocateCounters(CAPTURE_COUNTERS),
    whenFull: 'drop',
    bell,
    control: new Control(Control.allocate()),
  })
  const bytes = new Uint8Array(new SharedArrayBuffer(4096))
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < FRAMES; i++) {
    const linkType = i % 8 === 7 ? LINKTYPE_RAW : LINKTYPE_ETHERNET
    const length = writeFrame(view, linkType, i)
    intake.stamp.micros = 1e15 + i
    intake.frame(bytes, view, i & 7, length, length, linkType, 0)
    if (i % BATCH !== 0) continue
    intake.flush()
    for (const consumer of consumers) consumer.release(consumer.used)
  }
}

/** Writes an IPv4 TCP segment at offset `i & 7`. @returns the frame's length */
function writeFrame(view: DataView, linkType: number, i: number): number {
  const payload = (i * 131) % LARGEST_PAYLOAD
  const start = i & 7
  const ip = linkType === LINKTYPE_ETHERNET ? start + ETHERNET_BYTES : start
  if (linkType === LINKTYPE_ETHERNET) view.setUint16(start + 12, 0x0800)
  view.setUint8(ip, 0x45)
  view.setUint16(ip + 2, HEADERS_BYTES + payload)
  view.setUint16(ip + 6, 0)
  view.setUint8(ip + 9, 6)
  view.setUint32(ip + 12, 0x0a000000 + (i & 255))
  view.setUint32(ip + 16, 0x0a010000)
  view.setUint16(ip + 20, 40_000 + (i & 1023))
  view.setUint16(ip + 22, 8080)
  view.setUint8(ip + 32, 0x50)
  return ip - start + HEADERS_BYTES + payload
}
