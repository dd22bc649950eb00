/**
 * Describes the plain frames of a pcap file where they lie in the assembler's memory (src/ring/frame-place.ts), many in
 * one call:
 *
 *     record header │ Ethernet, no tags │ IPv4, or IPv6 without extension headers │ TCP
 *
 * Neither fragments nor lengths that need a decision are among them. It ends at the first record of another kind, which
 * the decoder in JavaScript (src/capture/wire/packet-decoder.ts) reads. That one reads plain frames as well, with the
 * same results, and tests compare both; but V8 has to compile it anew in every process, which costs more than the
 * frames of a short run (bench/findings.md).
 */
import {
  FLOW_HASH_AT,
  INTERFACE_ID_AT,
  LENGTH_AT,
  MICROS_AT,
  PLACED,
  PLACED_BYTES,
  PLACED_END_AT,
  PLACED_IP_AT,
  PLACED_NETWORK_AT,
  PLACED_TCP_AT,
  TAG_AT,
} from '../../../wasm/ring-layout'

const ETHERNET_BYTES: usize = 14
const IPV4_BYTES: usize = 20
const IPV6_BYTES: usize = 40
const TCP_BYTES: usize = 20
/** EtherTypes as two bytes are read, little-endian. */
const IPV4: u16 = 0x0008
const IPV6: u16 = 0xdd86
const PROTOCOL_TCP: u8 = 6
/** Of the two bytes with the flags of a fragment: MF, and the offset. */
const FRAGMENT: u16 = 0xff3f
const MICROS_PER_SECOND: u32 = 1_000_000

let stop: usize = 0
let cut: u32 = 0

/** Where the last `describe` ended: at the first record that it has not described. */
export function stopped(): usize {
  return stop
}

/** How many frames of the last `describe` have fewer captured bytes than their packet. */
export function truncated(): u32 {
  return cut
}

/**
 * Describes the records of a little-endian pcap file at [at, end).
 *
 * @param record where the first description is written; @param limit the end of the room for them
 * @param headerBytes of each record's header; @param fractionsPerMicro 1, or 1000 where times have nanoseconds
 * @param maxLength longer records are damage; @param secret of the flow hash
 * @returns how many were described
 */
export function describe(
  at: usize,
  end: usize,
  record: usize,
  limit: usize,
  headerBytes: usize,
  fractionsPerMicro: u32,
  maxLength: u32,
  interfaceId: i32,
  secret: i32,
): u32 {
  const fractions = fractionsPerMicro * MICROS_PER_SECOND
  let frames: u32 = 0
  let shortened: u32 = 0
  while (at + headerBytes + ETHERNET_BYTES + IPV4_BYTES + TCP_BYTES <= end && record + PLACED_BYTES <= limit) {
    const fraction = load<u32>(at, 4)
    const captured = load<u32>(at, 8)
    const start = at + headerBytes
    if (captured > maxLength || captured > <u32>(end - start) || fraction >= fractions) break
    const next = start + captured
    const ip = start + ETHERNET_BYTES
    const type = load<u16>(start, 12)
    let tcp = ip + IPV6_BYTES
    let packetEnd: usize = 0
    if (type === IPV4) {
      const headerLength = (<usize>(load<u8>(ip) & 15)) << 2
      const totalLength = <usize>bswap<u16>(load<u16>(ip, 2))
      if (load<u8>(ip) >> 4 !== 4 || headerLength < IPV4_BYTES || totalLength < headerLength) break
      if (load<u8>(ip, 9) !== PROTOCOL_TCP || (load<u16>(ip, 6) & FRAGMENT) !== 0) break
      tcp = ip + headerLength
      packetEnd = ip + totalLength
    } else if (type === IPV6) {
      const payloadLength = <usize>bswap<u16>(load<u16>(ip, 4))
      if (load<u8>(ip) >> 4 !== 6 || load<u8>(ip, 6) !== PROTOCOL_TCP || payloadLength === 0) break
      packetEnd = tcp + payloadLength
    } else break
    const packetStop = min(packetEnd, next)
    if (tcp + TCP_BYTES > packetStop) break
    if (packetEnd > next) shortened++
    store<i32>(record, <i32>PLACED_BYTES, LENGTH_AT)
    store<i32>(record, PLACED, TAG_AT)
    const micros = fractionsPerMicro === 1 ? fraction : fraction / fractionsPerMicro
    store<f64>(record, <f64>load<u32>(at) * MICROS_PER_SECOND + <f64>micros, MICROS_AT)
    store<i32>(record, secret, FLOW_HASH_AT)
    store<i32>(record, interfaceId, INTERFACE_ID_AT)
    store<usize>(record, ip, PLACED_IP_AT)
    store<usize>(record, tcp, PLACED_TCP_AT)
    store<usize>(record, packetStop, PLACED_END_AT)
    store<i32>(record, 0, PLACED_NETWORK_AT)
    record += PLACED_BYTES
    frames++
    at = next
  }
  stop = at
  cut = shortened
  return frames
}
