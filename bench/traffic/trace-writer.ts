/**
 * Writes TCP segments as Ethernet frames of a pcap file (draft-ietf-opsawg-pcap): IPv4, TCP with the timestamp option,
 * as Linux sends them. The IP checksum is right; the TCP checksum is left out, as it is on a host with offload.
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import type { Random } from './random.ts'

const BUFFER_BYTES = 8 * 1024 * 1024
const RECORD_BYTES = 16
const ETHERNET_BYTES = 14
const IP_BYTES = 20
const TCP_BYTES = 32
const HEADER_BYTES = ETHERNET_BYTES + IP_BYTES + TCP_BYTES

export const FIN = 0x01
export const SYN = 0x02
export const PUSH = 0x08
export const ACK = 0x10

/** The fields of a segment. Addresses are IPv4 as 32-bit numbers. */
export interface Segment {
  from: number
  fromPort: number
  to: number
  toPort: number
  sequence: number
  acknowledged: number
  flags: number
}

const NOTHING = Buffer.alloc(0)

/** Writes a pcap file of what `traffic` writes. */
export function writeTrace(path: string, random: Random, traffic: (writer: TraceWriter) => void): void {
  const fd = openSync(path, 'w')
  try {
    const writer = new TraceWriter((bytes) => writeSync(fd, bytes), random)
    traffic(writer)
    writer.flush()
  } finally {
    closeSync(fd)
  }
}

export class TraceWriter {
  frames = 0
  readonly #write: (bytes: Uint8Array) => void
  readonly #random: Random
  readonly #buffer = Buffer.alloc(BUFFER_BYTES)
  #used = 0
  /** Packet time, microseconds. Frames are 0 to 7 µs apart. */
  #micros = 1_795_406_389e6

  /** @param write receives the bytes of the file, which are valid during the call */
  constructor(write: (bytes: Uint8Array) => void, random: Random) {
    this.#write = write
    this.#random = random
    const header = this.#buffer
    header.writeUInt32LE(0xa1b2c3d4, 0)
    header.writeUInt16LE(2, 4)
    header.writeUInt16LE(4, 6)
    header.writeUInt32LE(262144, 16)
    header.writeUInt32LE(1, 20)
    this.#used = 24
  }

  /** Writes one segment that carries start…end of `payload`. */
  segment(segment: Segment, payload: Buffer = NOTHING, start = 0, end = payload.length): void {
    const length = HEADER_BYTES + end - start
    if (this.#used + RECORD_BYTES + length > BUFFER_BYTES) this.flush()
    this.#micros += this.#random.below(8)
    this.#record(length)
    this.#ip(segment, length - ETHERNET_BYTES)
    this.#tcp(segment)
    payload.copy(this.#buffer, this.#used, start, end)
    this.#used += end - start
    this.frames++
  }

  /** Passes on what is buffered. */
  flush(): void {
    this.#write(this.#buffer.subarray(0, this.#used))
    this.#used = 0
  }

  /** pcap's record header and Ethernet's. */
  #record(length: number): void {
    const buffer = this.#buffer
    let at = this.#used
    at = buffer.writeUInt32LE(Math.floor(this.#micros / 1e6), at)
    at = buffer.writeUInt32LE(this.#micros % 1e6, at)
    at = buffer.writeUInt32LE(length, at)
    at = buffer.writeUInt32LE(length, at)
    // Locally administered addresses.
    buffer.fill(2, at, at + 12)
    this.#used = buffer.writeUInt16BE(0x0800, at + 12)
  }

  #ip(segment: Segment, length: number): void {
    const buffer = this.#buffer
    const start = this.#used
    let at = buffer.writeUInt16BE(0x4500, start)
    at = buffer.writeUInt16BE(length, at)
    // No identification, don't fragment, TTL 64, TCP.
    at = buffer.writeUInt32BE(0x00004000, at)
    at = buffer.writeUInt32BE(0x40060000, at)
    at = buffer.writeUInt32BE(segment.from, at)
    this.#used = buffer.writeUInt32BE(segment.to, at)
    let sum = 0
    for (let word = start; word < this.#used; word += 2) sum += buffer.readUInt16BE(word)
    sum = (sum & 0xffff) + (sum >>> 16)
    buffer.writeUInt16BE(~(sum + (sum >>> 16)) & 0xffff, start + 10)
  }

  #tcp(segment: Segment): void {
    const buffer = this.#buffer
    let at = buffer.writeUInt16BE(segment.fromPort, this.#used)
    at = buffer.writeUInt16BE(segment.toPort, at)
    at = buffer.writeUInt32BE(segment.sequence >>> 0, at)
    at = buffer.writeUInt32BE(segment.acknowledged >>> 0, at)
    at = buffer.writeUInt16BE(((TCP_BYTES / 4) << 12) | segment.flags, at)
    // Window 501, no checksum, no urgent pointer; two NOPs and a timestamp.
    at = buffer.writeUInt16BE(501, at)
    at = buffer.writeUInt32BE(0, at)
    at = buffer.writeUInt32BE(0x0101080a, at)
    at = buffer.writeUInt32BE(Math.floor(this.#micros / 1000) % 2 ** 32, at)
    this.#used = buffer.writeUInt32BE(1, at)
  }
}
