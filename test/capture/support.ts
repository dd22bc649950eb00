/** Rigs for the capture stage: captures built by hand, a recording sink, and an intake with accessible rings. */

import { FileReader } from '../../src/capture/files/file-reader.ts'
import type { FileSink, PcapRecords } from '../../src/capture/frame-sink.ts'
import { FrameStamp } from '../../src/capture/frame-sink.ts'
import { Intake } from '../../src/capture/intake/intake.ts'
import { allocateCounters, CAPTURE_COUNTERS } from '../../src/ledger/counters.ts'
import { allocateRing, RingConsumer, RingProducer } from '../../src/ring/byte-ring.ts'
import { Doorbell } from '../../src/ring/doorbell.ts'
import { FRAME, INTERFACE } from '../../src/ring/layout.ts'
import type { InterfaceInfo } from '../../src/target/interface-info.ts'
import { Control } from '../../src/thread/control.ts'
import { ethernet, packet, tcp } from '../support/frames.ts'

/** A frame as a sink received it. */
export interface SeenFrame {
  bytes: Uint8Array
  wireLength: number
  linkType: number
  micros: number
  interfaceId: number
}

/** Records every frame. */
export class RememberingSink implements FileSink {
  readonly stamp = new FrameStamp()
  readonly frames: SeenFrame[] = []
  readonly interfaces = new Map<number, InterfaceInfo>()

  addInterface(id: number, info: InterfaceInfo): void {
    this.interfaces.set(id, info)
  }

  removeInterface(): void {}

  plainFrames({ at }: PcapRecords): number {
    return at
  }

  frame(
    bytes: Uint8Array,
    _view: DataView,
    start: number,
    capturedLength: number,
    wireLength: number,
    linkType: number,
    interfaceId: number,
  ): void {
    const { micros } = this.stamp
    this.frames.push({ bytes: bytes.slice(start, start + capturedLength), wireLength, linkType, micros, interfaceId })
  }

  drainUnread(): ReadonlyMap<number, number> {
    return new Map()
  }

  tick(): void {}

  flush(): void {}
}

export interface ReadResult {
  frames: SeenFrame[]
  damages: { offset: number | null; reason: string }[]
  /** Names in the order of their ids. */
  interfaces: (string | null)[]
}

/**
 * Reads a capture from memory.
 *
 * @param chunks lengths of the chunks it is read in, repeated as needed; default: one chunk
 */
export function readCapture(
  file: Uint8Array,
  chunks: number[] = [file.length || 1],
  sink = new RememberingSink(),
): ReadResult {
  const damages: ReadResult['damages'] = []
  const interfaces: (string | null)[] = []
  const reader = new FileReader({
    sink,
    interfaceId(name) {
      if (!interfaces.includes(name)) interfaces.push(name)
      return interfaces.indexOf(name)
    },
    damage(offset, reason) {
      damages.push({ offset, reason })
      return damages.length < 16
    },
  })
  for (let at = 0, i = 0; at < file.length; i++) {
    const length = Math.max(1, chunks[i % chunks.length])
    reader.push(file.subarray(at, at + length))
    at += length
  }
  reader.end()
  return { frames: sink.frames, damages, interfaces }
}

export interface FileFrame {
  bytes: Uint8Array
  /** Seconds and the fraction in the file's own unit. */
  seconds?: number
  fraction?: number
  wireLength?: number
}

export interface PcapOptions {
  magic?: number
  little?: boolean
  linkType?: number
  snapLength?: number
  minor?: number
}

export const START_SECONDS = 1_700_000_000

/** Writes fields of 1, 2, 4 or 8 bytes one after another. */
export class Layer {
  readonly #bytes: number[] = []
  readonly #little: boolean

  constructor(little: boolean) {
    this.#little = little
  }

  int(value: number | bigint, width: 1 | 2 | 4 | 8): this {
    const view = new DataView(new ArrayBuffer(8))
    view.setBigInt64(0, BigInt(value), this.#little)
    const from = this.#little ? 0 : 8 - width
    for (let i = 0; i < width; i++) this.#bytes.push(view.getUint8(from + i))
    return this
  }

  raw(bytes: ArrayLike<number>): this {
    for (let i = 0; i < bytes.length; i++) this.#bytes.push(bytes[i])
    return this
  }

  pad(): this {
    while (this.#bytes.length % 4 !== 0) this.#bytes.push(0)
    return this
  }

  done(): Uint8Array {
    return Uint8Array.from(this.#bytes)
  }
}

export const concat = (parts: Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]))

export const MAGIC_MICROS = 0xa1b2c3d4
export const MAGIC_NANOS = 0xa1b23c4d
export const MAGIC_MODIFIED = 0xa1b2cd34

export function pcapHeader(options: PcapOptions = {}): Uint8Array {
  const { magic = MAGIC_MICROS, little = true, linkType = 1, snapLength = 262144, minor = 4 } = options
  return new Layer(little).int(magic, 4).int(2, 2).int(minor, 2).int(0, 8).int(snapLength, 4).int(linkType, 4).done()
}

export function pcapRecord(frame: FileFrame, options: PcapOptions = {}): Uint8Array {
  const { magic = MAGIC_MICROS, little = true } = options
  const { bytes, seconds = START_SECONDS, fraction = 0, wireLength = bytes.length } = frame
  const record = new Layer(little).int(seconds, 4).int(fraction, 4).int(bytes.length, 4).int(wireLength, 4)
  if (magic === MAGIC_MODIFIED) record.int(2, 4).int(0x0800, 2).int(0, 2)
  return record.raw(bytes).done()
}

export const pcapFile = (frames: FileFrame[], options: PcapOptions = {}): Uint8Array =>
  concat([pcapHeader(options), ...frames.map((frame) => pcapRecord(frame, options))])

/** Blocks of a pcapng file in one byte order. */
export class PcapngBlocks {
  readonly #little: boolean

  constructor(little = true) {
    this.#little = little
  }

  block(type: number, content: Uint8Array): Uint8Array {
    const padded = (content.length + 3) & ~3
    return new Layer(this.#little)
      .int(type, 4)
      .int(padded + 12, 4)
      .raw(content)
      .pad()
      .int(padded + 12, 4)
      .done()
  }

  section(major = 1): Uint8Array {
    return this.block(0x0a0d0d0a, new Layer(this.#little).int(0x1a2b3c4d, 4).int(major, 2).int(0, 2).int(-1, 8).done())
  }

  interface(linkType: number, snapLength = 0, options: [code: number, value: Uint8Array][] = []): Uint8Array {
    const content = new Layer(this.#little).int(linkType, 2).int(0, 2).int(snapLength, 4)
    for (const [code, value] of options) content.int(code, 2).int(value.length, 2).raw(value).pad()
    if (options.length > 0) content.int(0, 4)
    return this.block(1, content.done())
  }

  enhanced(index: number, time: bigint, bytes: Uint8Array, wireLength = bytes.length): Uint8Array {
    const content = new Layer(this.#little)
      .int(index, 4)
      .int(time >> 32n, 4)
      .int(time & 0xffffffffn, 4)
    return this.block(6, content.int(bytes.length, 4).int(wireLength, 4).raw(bytes).done())
  }

  simple(bytes: Uint8Array, wireLength = bytes.length): Uint8Array {
    return this.block(3, new Layer(this.#little).int(wireLength, 4).raw(bytes).done())
  }

  obsolete(index: number, time: bigint, bytes: Uint8Array): Uint8Array {
    const content = new Layer(this.#little)
      .int(index, 2)
      .int(0, 2)
      .int(time >> 32n, 4)
      .int(time & 0xffffffffn, 4)
    return this.block(2, content.int(bytes.length, 4).int(bytes.length, 4).raw(bytes).done())
  }
}

/** A TCP segment with a payload, in an IPv4 packet of an Ethernet frame. */
export function tcpFrame(payloadLength = 0, ports: [number, number] = [40000, 80], fill = 0x61): Uint8Array {
  const segment = concat([tcp(...ports), new Uint8Array(payloadLength).fill(fill)])
  return ethernet({
    payload: packet({ source: [10, 0, 0, 1], destination: [10, 0, 0, 2], protocol: 6, payload: segment }),
  })
}

/** A record as an assembler would find it. */
export interface RingRecord {
  tag: number
  micros: number
  word0: number
  word1: number
  /** FRAME: the packet from its IP header to its end. INTERFACE: the JSON. */
  packet: Uint8Array
  /** FRAME: offset of the TCP header within `packet`, of the frame's first byte within the record. */
  tcpOffset: number
  frameOffset: number
}

/** An intake and both ends of its rings. */
export class IntakeRig {
  readonly counters = allocateCounters(CAPTURE_COUNTERS)
  readonly control: Control
  readonly intake: Intake
  readonly consumers: RingConsumer[]
  readonly producers: RingProducer[]

  constructor(options: { rings?: number; capacity?: number; whenFull?: 'wait' | 'drop' } = {}) {
    const { rings = 1, capacity = 1 << 20, whenFull = 'drop' } = options
    const shared = Array.from({ length: rings }, () => allocateRing(capacity))
    this.producers = shared.map((ring) => new RingProducer(ring, new Doorbell(Doorbell.allocate())))
    this.consumers = shared.map((ring) => new RingConsumer(ring, null))
    this.control = new Control(Control.allocate())
    const bell = new Doorbell(Doorbell.allocate())
    const { counters, control, producers } = this
    this.intake = new Intake({ rings: producers, counters, whenFull, bell, control })
  }

  push(
    frame: Uint8Array,
    options: { linkType?: number; micros?: number; wireLength?: number; at?: number } = {},
  ): void {
    const { linkType = 1, micros = 1e15, wireLength = frame.length, at = 0 } = options
    const bytes = new Uint8Array(at + frame.length + 16)
    bytes.set(frame, at)
    this.intake.stamp.micros = micros
    this.intake.frame(bytes, new DataView(bytes.buffer), at, frame.length, wireLength, linkType, 0)
  }

  /** Empties a ring. */
  take(slot = 0): RingRecord[] {
    this.intake.flush()
    const records: RingRecord[] = []
    const block = new Uint8Array(1 << 20)
    for (;;) {
      const count = this.consumers[slot].peek(block, block.length)
      if (count === 0) return records
      for (let at = 0; at < count; ) {
        const length = new DataView(block.buffer).getInt32(at, true)
        if (length > 0) records.push(parseRecord(block, at))
        at += Math.abs(length)
      }
      this.consumers[slot].release(count)
    }
  }

  count(name: keyof typeof CAPTURE_COUNTERS.index): number {
    return this.counters[CAPTURE_COUNTERS.index[name]]
  }

  /** Both sides of the law of frames; equal once `finish` was called. */
  law(): { seen: number; accounted: number } {
    let accounted = this.count('queued')
    CAPTURE_COUNTERS.paths.forEach((path, index) => {
      if (/^frames\.(skipped|dropped)\./.test(path)) accounted += this.counters[index]
    })
    return { seen: this.count('seen'), accounted }
  }
}

function parseRecord(block: Uint8Array, at: number): RingRecord {
  const view = new DataView(block.buffer, at)
  const tag = view.getUint32(4, true)
  const ip = view.getUint16(24, true)
  const frame = tag === FRAME
  const end = frame ? view.getUint32(28, true) : 24 + (tag === INTERFACE ? view.getInt32(16, true) : 0)
  return {
    tag,
    micros: view.getFloat64(8, true),
    word0: view.getInt32(16, true),
    word1: view.getInt32(20, true),
    packet: block.slice(at + (frame ? ip : 24), at + end),
    tcpOffset: frame ? view.getUint16(26, true) - ip : 0,
    frameOffset: frame ? ip : 0,
  }
}
