/**
 * Writes blocks of a packet ring as the kernel does (net/packet/af_packet.c), so that a ring reader can run without a socket:
 * for the warm-up and for measurements.
 */
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
import type { FrameSink } from '../frame-sink.ts'
import { LINKTYPE_ETHERNET } from '../wire/link-types.ts'
import { RING_PROGRESS_WORDS } from '../worker-data.ts'
import { RingReader } from './ring-reader.ts'

export const BLOCK_HEADER_BYTES = 48
/** Bytes of a packet before its frame begins. */
export const PACKET_HEADER_BYTES = 82
const SECONDS = 1e9
const ETHERNET_BYTES = 14
/** IPv4 and TCP without options. */
const HEADERS_BYTES = 40

/** A TCP segment of generated traffic. */
export interface GeneratedSegment {
  /** Segments with different numbers, up to 255, are of different connections. */
  readonly connection: number
  readonly payloadBytes: number
  /** Of the TCP header (tcp-header.ts). Default: none. */
  readonly flags?: number
}

/** Bytes from a packet with a frame of that length to the next one. */
export const packetBytes = (frameBytes: number): number => (PACKET_HEADER_BYTES + frameBytes + 15) & ~15

/** Writes the header of a packet whose frame was captured whole. */
export function writePacketHeader(view: DataView, at: number, frameBytes: number): void {
  view.setUint32(at + PACKET_NEXT, packetBytes(frameBytes), true)
  view.setUint32(at + PACKET_SECONDS, SECONDS, true)
  view.setUint32(at + PACKET_CAPTURED, frameBytes, true)
  view.setUint32(at + PACKET_LENGTH, frameBytes, true)
  view.setUint16(at + PACKET_MAC, PACKET_HEADER_BYTES, true)
}

/** The memory of a ring of one block, which is ready. @param segments must fit into it */
export function readyBlock(blockBytes: number, linkType: number, segments: readonly GeneratedSegment[]): ArrayBuffer {
  const memory = new ArrayBuffer(blockBytes)
  const view = new DataView(memory)
  let at = BLOCK_HEADER_BYTES
  for (const segment of segments) {
    const frameBytes = writeFrame(view, at + PACKET_HEADER_BYTES, linkType, segment)
    writePacketHeader(view, at, frameBytes)
    at += packetBytes(frameBytes)
  }
  view.setUint32(BLOCK_STATUS, TP_STATUS_USER, true)
  view.setUint32(BLOCK_PACKETS, segments.length, true)
  view.setUint32(BLOCK_FIRST_PACKET, BLOCK_HEADER_BYTES, true)
  view.setUint32(BLOCK_LENGTH, at, true)
  view.setBigUint64(BLOCK_NUMBER, 1n, true)
  return memory
}

/** @param memory of `readyBlock` @returns the offset of each frame's first byte */
export function frameStarts(memory: ArrayBuffer): number[] {
  const view = new DataView(memory)
  const starts: number[] = []
  let at = BLOCK_HEADER_BYTES
  while (starts.length < view.getUint32(BLOCK_PACKETS, true)) {
    starts.push(at + PACKET_HEADER_BYTES)
    at += view.getUint32(at + PACKET_NEXT, true)
  }
  return starts
}

/** @param memory of `readyBlock` @returns delivers all frames of the block, at each call */
export function repeatedReader(memory: ArrayBuffer, linkType: number): (sink: FrameSink) => void {
  const progress = new Int32Array(RING_PROGRESS_WORDS)
  const ring = { blockBytes: memory.byteLength, blockCount: 1, linkType, interfaceId: 0, progress }
  const mesh = { proxyPort: new Int32Array(1), redirected: new Uint8Array(0) }
  const reader = new RingReader({ ...ring, ...mesh }, memory)
  return (sink) => {
    progress.fill(0)
    reader.deliverBlock(sink)
  }
}

/** Writes an IPv4 TCP segment. @returns the frame's length */
function writeFrame(view: DataView, start: number, linkType: number, segment: GeneratedSegment): number {
  const { connection, payloadBytes, flags = 0 } = segment
  const ip = linkType === LINKTYPE_ETHERNET ? start + ETHERNET_BYTES : start
  if (linkType === LINKTYPE_ETHERNET) view.setUint16(start + 12, 0x0800)
  view.setUint8(ip, 0x45)
  view.setUint16(ip + 2, HEADERS_BYTES + payloadBytes)
  view.setUint8(ip + 9, 6)
  view.setUint32(ip + 12, 0x0a000000 + connection)
  view.setUint32(ip + 16, 0x0a010000)
  view.setUint16(ip + 20, 40_000 + connection)
  view.setUint16(ip + 22, 8080)
  view.setUint8(ip + 32, 0x50)
  view.setUint8(ip + 33, flags)
  return ip - start + HEADERS_BYTES + payloadBytes
}
