/** Builds frames for tests of header decoders. */

export interface FrameParts {
  /** Tag protocol identifiers, outermost first. */
  tags?: number[]
  ethertype?: number
  payload: Uint8Array
}

/** An Ethernet frame. */
export function ethernet({ tags = [], ethertype, payload }: FrameParts): Uint8Array {
  const type = ethertype ?? (payload[0] >> 4 === 6 ? 0x86dd : 0x0800)
  const head = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
  for (const tag of tags) head.push(tag >> 8, tag & 0xff, 0, 100)
  return Uint8Array.from([...head, type >> 8, type & 0xff, ...payload])
}

export interface PacketParts {
  source: number[]
  destination: number[]
  protocol: number
  payload: Uint8Array
  /** IPv4: bytes of options, a multiple of 4. */
  optionBytes?: number
  /** IPv4: fragment offset in units of 8. */
  fragmentOffset?: number
}

/** An IPv4 or IPv6 packet, by the length of its addresses. For IPv6 `protocol` is the next header. */
export function packet(parts: PacketParts): Uint8Array {
  const { source, destination, protocol, payload, optionBytes = 0, fragmentOffset = 0 } = parts
  if (source.length === 16) {
    const length = [payload.length >> 8, payload.length & 0xff]
    return Uint8Array.from([0x60, 0, 0, 0, ...length, protocol, 64, ...source, ...destination, ...payload])
  }
  const total = 20 + optionBytes + payload.length
  return Uint8Array.from([
    ...[0x40 | (5 + optionBytes / 4), 0, total >> 8, total & 0xff, 0, 0, fragmentOffset >> 8, fragmentOffset & 0xff],
    ...[64, protocol, 0, 0, ...source, ...destination, ...new Array<number>(optionBytes).fill(1), ...payload],
  ])
}

/** A TCP header without options or payload. */
export const tcp = (sourcePort: number, destinationPort: number): Uint8Array =>
  Uint8Array.from([
    ...[sourcePort >> 8, sourcePort & 0xff, destinationPort >> 8, destinationPort & 0xff],
    ...[0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0],
  ])

/** A capture file (LINKTYPE_ETHERNET) of frames at one time. */
export function pcapFile(frames: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(24)
  header.writeUInt32LE(0xa1b2c3d4)
  header.writeUInt32LE(0x00040002, 4)
  header.writeUInt32LE(262144, 16)
  header.writeUInt32LE(1, 20)
  const records = frames.flatMap((frame) => {
    const record = Buffer.alloc(16)
    record.writeUInt32LE(frame.length, 8)
    record.writeUInt32LE(frame.length, 12)
    return [record, frame]
  })
  return Buffer.concat([header, ...records])
}
