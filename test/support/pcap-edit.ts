/**
 * Rewrites capture files for invariance tests: the same traffic in other frames. Reads little-endian microsecond pcap,
 * as written by tcpdump (plain or gzip), of any link type. Only functions that re-segment parse frames (Ethernet, IPv4
 * and IPv6 without extension headers, TCP). Every function returns new frames and does not modify its input.
 */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'

/** One frame: link-layer bytes and its time in microseconds since the epoch. */
export interface CapturedFrame {
  micros: number
  bytes: Buffer
}

/** A capture file: its link type (LINKTYPE_ number) and frames in file order. */
export interface CaptureFile {
  linkType: number
  frames: CapturedFrame[]
}

/** The format of a pcap file; the default is tcpdump's. */
export interface PcapLayout {
  bigEndian?: boolean
  nanoseconds?: boolean
}

const MAGIC_MICROS = 0xa1b2c3d4
const MAGIC_NANOS = 0xa1b23c4d

/** Reads a pcap file. Throws unless it is complete little-endian microsecond pcap. */
export function readPcap(path: string): CaptureFile {
  const raw = readFileSync(path)
  const data = raw[0] === 0x1f ? gunzipSync(raw) : raw
  if (data.readUInt32LE(0) !== MAGIC_MICROS) throw new Error(`${path} is not a little-endian microsecond pcap`)
  const frames: CapturedFrame[] = []
  for (let at = 24; at < data.length; ) {
    const length = data.readUInt32LE(at + 8)
    const micros = data.readUInt32LE(at) * 1e6 + data.readUInt32LE(at + 4)
    frames.push({ micros, bytes: data.subarray(at + 16, at + 16 + length) })
    at += 16 + length
  }
  return { linkType: data.readUInt32LE(20), frames }
}

/** The bytes of a pcap file in the given byte order and resolution. */
export function writePcap({ linkType, frames }: CaptureFile, layout: PcapLayout = {}): Buffer {
  const word = (value: number): Buffer => {
    const bytes = Buffer.alloc(4)
    if (layout.bigEndian === true) bytes.writeUInt32BE(value)
    else bytes.writeUInt32LE(value)
    return bytes
  }
  const version = Buffer.from(layout.bigEndian === true ? [0, 2, 0, 4] : [2, 0, 4, 0])
  const magic = word(layout.nanoseconds === true ? MAGIC_NANOS : MAGIC_MICROS)
  const parts = [magic, version, word(0), word(0), word(262144), word(linkType)]
  for (const { micros, bytes } of frames) {
    const fraction = (micros % 1e6) * (layout.nanoseconds === true ? 1000 : 1)
    parts.push(word(Math.floor(micros / 1e6)), word(fraction), word(bytes.length), word(bytes.length), bytes)
  }
  return Buffer.concat(parts)
}

/** The bytes of a pcapng file: one section, one interface, enhanced packet blocks, microseconds. */
export function writePcapng({ linkType, frames }: CaptureFile): Buffer {
  const block = (type: number, body: Buffer): Buffer => {
    const length = 12 + Math.ceil(body.length / 4) * 4
    const bytes = Buffer.alloc(length)
    bytes.writeUInt32LE(type, 0)
    bytes.writeUInt32LE(length, 4)
    body.copy(bytes, 8)
    bytes.writeUInt32LE(length, length - 4)
    return bytes
  }
  const section = Buffer.from('4d3c2b1a01000000ffffffffffffffff', 'hex')
  const description = Buffer.alloc(8)
  description.writeUInt16LE(linkType, 0)
  const parts = [block(0x0a0d0d0a, section), block(1, description)]
  for (const { micros, bytes } of frames) {
    const head = Buffer.alloc(20)
    head.writeUInt32LE(Math.floor(micros / 2 ** 32), 4)
    head.writeUInt32LE(micros % 2 ** 32, 8)
    head.writeUInt32LE(bytes.length, 12)
    head.writeUInt32LE(bytes.length, 16)
    parts.push(block(6, Buffer.concat([head, bytes])))
  }
  return Buffer.concat(parts)
}

/** A seeded generator of numbers in [0, 1), with the same sequence on every machine (mulberry32). */
export function random(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Where the parts of a TCP segment in an Ethernet frame begin. */
export interface SegmentParts {
  ip: number
  tcp: number
  payload: number
  end: number
}

/** Finds the TCP segment of an untagged Ethernet frame; undefined for anything else, and for IP fragments. */
export function segmentOf(frame: Buffer): SegmentParts | undefined {
  if (frame.length < 54) return undefined
  const type = frame.readUInt16BE(12)
  if (type === 0x0800) return ipv4Segment(frame)
  if (type !== 0x86dd || frame.length < 74 || frame[20] !== 6) return undefined
  const end = 54 + frame.readUInt16BE(18)
  return { ip: 14, tcp: 54, payload: 54 + (frame[66] >> 4) * 4, end }
}

function ipv4Segment(frame: Buffer): SegmentParts | undefined {
  if (frame[23] !== 6 || (frame.readUInt16BE(20) & 0x3fff) !== 0) return undefined
  const tcp = 14 + (frame[14] & 15) * 4
  return { ip: 14, tcp, payload: tcp + (frame[tcp + 12] >> 4) * 4, end: 14 + frame.readUInt16BE(16) }
}

/** Maps each frame to any number of frames. */
const each = (file: CaptureFile, map: (frame: CapturedFrame) => readonly CapturedFrame[]): CaptureFile => ({
  linkType: file.linkType,
  frames: file.frames.flatMap(map),
})

/** Splits every segment into segments of at most `size()` bytes of payload; FIN and PSH stay on the last. */
export function resegment(file: CaptureFile, size: () => number): CaptureFile {
  return each(file, (frame) => {
    const parts = segmentOf(frame.bytes)
    if (parts === undefined) return [frame]
    const cut: CapturedFrame[] = []
    for (let at = parts.payload; at < parts.end; ) {
      const to = Math.min(parts.end, at + Math.max(1, size()))
      cut.push({ micros: frame.micros, bytes: pieceOf(frame.bytes, parts, at, to) })
      at = to
    }
    return cut.length < 2 ? [frame] : cut
  })
}

function pieceOf(frame: Buffer, parts: SegmentParts, from: number, to: number): Buffer {
  const piece = Buffer.concat([frame.subarray(0, parts.payload), frame.subarray(from, to)])
  const length = piece.length - parts.ip
  if (frame[parts.ip] >> 4 === 4) piece.writeUInt16BE(length, parts.ip + 2)
  else piece.writeUInt16BE(length - 40, parts.ip + 4)
  const first = from === parts.payload
  const syn = (frame[parts.tcp + 13] & 2) !== 0
  const sequence = frame.readUInt32BE(parts.tcp + 4) + (from - parts.payload) + (syn && !first ? 1 : 0)
  piece.writeUInt32BE(sequence >>> 0, parts.tcp + 4)
  let flags = frame[parts.tcp + 13]
  if (to < parts.end) flags &= ~0x09
  if (!first) flags &= ~0x02
  piece[parts.tcp + 13] = flags
  return piece
}

/** Moves frames by up to `window` positions, regardless of acknowledgements; times stay in file order. */
export function shuffle(file: CaptureFile, window: number, chance: () => number): CaptureFile {
  return arrange(
    file,
    file.frames.map((_, at) => at + chance() * window),
  )
}

/**
 * Reorders segments as a network can: segments of one stream overtake each other by up to `window` positions, but not
 * segments of the other side, so that no acknowledgement precedes what it acknowledges. Runs that end with a RST stay.
 */
export function reorder(file: CaptureFile, window: number, chance: () => number): CaptureFile {
  const keys = file.frames.map((_, at) => at)
  const runs = new Map<string, { from: string; places: number[] }>()
  const settle = (places: readonly number[]): void => {
    if (places.some((at) => isReset(file.frames[at].bytes))) return
    const order = places.map((at, n) => ({ at, key: n + chance() * window })).sort((x, y) => x.key - y.key)
    for (const [n, { at }] of order.entries()) keys[at] = places[n]
  }
  for (const [at, { bytes }] of file.frames.entries()) {
    const parts = segmentOf(bytes)
    if (parts === undefined) continue
    const [from, to] = endpoints(bytes, parts)
    const flow = [from, to].sort().join()
    const run = runs.get(flow)
    if (run?.from === from) {
      run.places.push(at)
    } else {
      if (run !== undefined) settle(run.places)
      runs.set(flow, { from, places: [at] })
    }
  }
  for (const { places } of runs.values()) settle(places)
  return arrange(file, keys)
}

/** Sorts frames by key; each gets the time of its new position. */
function arrange(file: CaptureFile, keys: readonly number[]): CaptureFile {
  const order = keys.map((key, at) => ({ key, at })).sort((a, b) => a.key - b.key)
  const frames = order.map(({ at }, place) => ({ micros: file.frames[place].micros, bytes: file.frames[at].bytes }))
  return { linkType: file.linkType, frames }
}

const isReset = (frame: Buffer): boolean => {
  const parts = segmentOf(frame)
  return parts !== undefined && (frame[parts.tcp + 13] & 4) !== 0
}

function endpoints(frame: Buffer, parts: SegmentParts): [from: string, to: string] {
  const size = frame[parts.ip] >> 4 === 4 ? 4 : 16
  const at = parts.ip + (size === 4 ? 12 : 8)
  const end = (address: number, port: number): string =>
    frame.toString('hex', address, address + size) + frame.readUInt16BE(port)
  return [end(at, parts.tcp), end(at + size, parts.tcp + 2)]
}

/** Repeats some frames, immediately or some frames later. */
export function duplicate(file: CaptureFile, share: number, chance: () => number): CaptureFile {
  const keyed = file.frames.flatMap((frame, at) => [
    { frame, key: at },
    ...(chance() < share ? [{ frame, key: at + 0.5 + Math.floor(chance() * 8) }] : []),
  ])
  const micros = (at: number): number => file.frames[Math.min(file.frames.length - 1, Math.floor(at))].micros
  const sorted = keyed.sort((a, b) => a.key - b.key)
  return {
    linkType: file.linkType,
    frames: sorted.map(({ frame, key }) => ({ micros: micros(key), bytes: frame.bytes })),
  }
}

/** Leaves out a share of the frames. */
export function drop(file: CaptureFile, share: number, chance: () => number): CaptureFile {
  return each(file, (frame) => (chance() < share ? [] : [frame]))
}

/** Keeps a range of frames, as if the capture had started late or ended early. */
export function slice(file: CaptureFile, from: number, to = file.frames.length): CaptureFile {
  return { linkType: file.linkType, frames: file.frames.slice(from, to) }
}

/** Merges captures of one link type by time; the order within each capture is kept. */
export function merge(files: readonly CaptureFile[]): CaptureFile {
  const latest = (frames: readonly CapturedFrame[]): CapturedFrame[] => {
    let micros = 0
    return frames.map((frame) => {
      micros = Math.max(micros, frame.micros)
      return { micros, bytes: frame.bytes }
    })
  }
  const frames = files.flatMap(({ frames }) => latest(frames))
  return { linkType: files[0].linkType, frames: frames.sort((a, b) => a.micros - b.micros) }
}

/** Adds VLAN tags (TPID and id, outermost first) to Ethernet frames. */
export function tag(file: CaptureFile, ...tags: readonly (readonly [tpid: number, id: number])[]): CaptureFile {
  const label = Buffer.alloc(tags.length * 4)
  for (const [at, [tpid, id]] of tags.entries()) {
    label.writeUInt16BE(tpid, at * 4)
    label.writeUInt16BE(id, at * 4 + 2)
  }
  return each(file, ({ micros, bytes }) => [
    { micros, bytes: Buffer.concat([bytes.subarray(0, 12), label, bytes.subarray(12)]) },
  ])
}

/** Removes the Ethernet header (LINKTYPE_RAW), and frames other than IP. */
export function rawIp(file: CaptureFile): CaptureFile {
  const isIp = (bytes: Buffer): boolean => [0x0800, 0x86dd].includes(bytes.readUInt16BE(12))
  return {
    linkType: 101,
    frames: file.frames
      .filter(({ bytes }) => isIp(bytes))
      .map(({ micros, bytes }) => ({ micros, bytes: bytes.subarray(14) })),
  }
}

/** Replaces every TCP port, so that no port reveals the protocol. */
export function movePorts(file: CaptureFile, by: number): CaptureFile {
  return each(file, ({ micros, bytes }) => {
    const parts = segmentOf(bytes)
    if (parts === undefined) return [{ micros, bytes }]
    const moved = Buffer.from(bytes)
    for (const at of [parts.tcp, parts.tcp + 2]) moved.writeUInt16BE((bytes.readUInt16BE(at) + by) & 0xffff, at)
    return [{ micros, bytes: moved }]
  })
}

/** Shifts all sequence numbers, so that they wrap elsewhere. */
export function moveSequences(file: CaptureFile, by: number): CaptureFile {
  return each(file, ({ micros, bytes }) => {
    const parts = segmentOf(bytes)
    if (parts === undefined) return [{ micros, bytes }]
    const moved = Buffer.from(bytes)
    for (const at of [parts.tcp + 4, parts.tcp + 8]) moved.writeUInt32BE((bytes.readUInt32BE(at) + by) >>> 0, at)
    return [{ micros, bytes: moved }]
  })
}

/**
 * Converts IPv4 to IPv6: each address a.b.c.d becomes fd00::a.b.c.d, and the segment stays. Other frames are unchanged.
 */
export function toIpv6(file: CaptureFile): CaptureFile {
  return each(file, ({ micros, bytes }) => {
    const parts = segmentOf(bytes)
    if (parts === undefined || bytes[parts.ip] >> 4 !== 4) return [{ micros, bytes }]
    const head = Buffer.alloc(54)
    bytes.copy(head, 0, 0, 12)
    head.writeUInt16BE(0x86dd, 12)
    head[14] = 0x60
    head.writeUInt16BE(parts.end - parts.tcp, 18)
    head[20] = 6
    head[21] = 64
    for (const [to, from] of [
      [22, parts.ip + 12],
      [38, parts.ip + 16],
    ]) {
      head[to] = 0xfd
      bytes.copy(head, to + 12, from, from + 4)
    }
    return [{ micros, bytes: Buffer.concat([head, bytes.subarray(parts.tcp, parts.end)]) }]
  })
}
