/**
 * Finds the TCP header of an IP packet: IPv4 with options and authentication headers, IPv6 with extension headers, and
 * tunnels of either.
 *
 * Results are fields of the decoder, so that a frame costs no object. Checksums of whole packets are not
 * verified: with offload, packets are captured before they are filled in. Lengths in headers are bounded by the captured bytes.
 */
import {
  AUTHENTICATION,
  DESTINATION,
  FRAGMENT_HEADER,
  HIP,
  isExtensionHeader,
  PROTOCOL_TCP,
  ROUTING,
  SHIM6,
} from '../../net/ip-protocols.ts'
import type { Tunnels } from '../../net/tunnels.ts'
import { CUT_LINK, NOT_IP } from './ether-type.ts'
import { findIp } from './link.ts'
import { NetworkId } from './network-id.ts'
import { hasValidChecksum } from './tcp-checksum.ts'
import { NO_TUNNEL, TunnelDecoder } from './tunnel.ts'

/** Results of decoding a frame. */
export const TCP = 0
/** A fragment of a packet, described by the fragment fields. */
export const FRAGMENT = 1
/** Not IP, or IP that does not carry TCP. */
export const NON_TCP = 2
/** Truncated or inconsistent headers. */
export const MALFORMED = 3
/** An unknown link type. */
export const UNKNOWN_LINK_TYPE = 4
export type Verdict = typeof TCP | typeof FRAGMENT | typeof NON_TCP | typeof MALFORMED | typeof UNKNOWN_LINK_TYPE

const TCP_HEADER_BYTES = 20
const IPV4_HEADER_BYTES = 20
export const IPV6_HEADER_BYTES = 40

/** A regular packet has at most six extension headers (RFC 8200 §4.1); some slack for irregular ones. */
const MAX_EXTENSION_HEADERS = 16

/** Limit of nested tunnels. */
const MAX_TUNNELS = 4

/**
 * Whether an extension header may name the addresses that TCP's checksum covers, instead of the IPv6 header: the final
 * destination (RFC 8200 §8.1), a home address (RFC 6275), or identifiers of the ends (RFC 7401, RFC 5533).
 */
const changesAddresses = (next: number): boolean =>
  next === ROUTING || next === DESTINATION || next === HIP || next === SHIM6

/** Length of the authentication header at `at`, whose first 8 bytes are present (RFC 4302 §2.2). */
const authenticationBytes = (view: DataView, at: number): number => (view.getUint8(at + 1) + 2) << 2

/** Decodes one frame at a time; each call overwrites the results of the previous one. Offsets are those of the view. */
export class PacketDecoder {
  /** 4 or 6. */
  version = 4
  ipOffset = 0
  /** First byte of the TCP header (verdict TCP). */
  tcpOffset = 0
  /** One past the packet's last captured byte, without link-layer padding. */
  endOffset = 0
  /** Whether the packet is longer than the captured bytes. */
  truncated = false
  /** Of a FRAGMENT: where its data begins, the data's offset in the packet, and whether more fragments follow. */
  fragmentDataOffset = 0
  fragmentPosition = 0
  moreFragments = false
  fragmentId = 0
  /** Of a FRAGMENT: false if its data shows that the packet cannot hold TCP. */
  fragmentWanted = true
  /** Of a FRAGMENT: the protocol (IPv4) or the header (IPv6) that the reassembled data begins with. */
  fragmentProtocol = 0
  /** Whether the checksum may cover other addresses than those of the IPv6 header. */
  #readdressed = false
  readonly #network = new NetworkId()
  readonly #tunnelDecoder: TunnelDecoder
  #tunnels = 0

  /** @param tunnels the tunnels to decode */
  constructor(tunnels: Tunnels) {
    this.#tunnelDecoder = new TunnelDecoder(this.#network, tunnels)
  }

  /** The virtual network of the packet (wire/network-id.ts). int32, 0 for none. */
  get network(): number {
    return this.#network.value
  }

  /**
   * @param start first byte of the link-layer header; @param end one past the last captured byte
   * @param wireEnd where the frame ended on the wire, ≥ end where a snap length cut it
   * @param linkType a LINKTYPE_ value
   * @param vlan as FrameStamp.vlan
   */
  decode(view: DataView, start: number, end: number, wireEnd: number, linkType: number, vlan = 0): Verdict {
    this.#network.value = 0
    if (vlan !== 0) {
      this.#network.enterVlan(vlan & 0xffff)
      this.#network.enterVlan(vlan >>> 16)
    }
    this.#tunnels = 0
    this.#readdressed = false
    const ip = findIp(view, start, end, linkType, this.#network)
    if (ip < 0) return ip === NOT_IP ? NON_TCP : ip === CUT_LINK ? MALFORMED : UNKNOWN_LINK_TYPE
    return this.#packet(view, ip, end, wireEnd)
  }

  /**
   * Decodes a reassembled packet, whose last fragment this decoder has just found: the packet has that fragment's
   * virtual network and tunnel depth, and the headers in front of its fragment header.
   *
   * @returns MALFORMED for a fragment of a fragment, which only a tunnel between the two allows (RFC 8200 §4.5), and where
   * the checksum shows that the fragments are of different packets
   */
  decodeReassembled(view: DataView, end: number): Verdict {
    const tunnels = this.#tunnels
    const verdict = this.#packet(view, 0, end, end)
    if (verdict === FRAGMENT && this.#tunnels === tunnels) return MALFORMED
    if (verdict !== TCP || this.truncated || this.#readdressed) return verdict
    return hasValidChecksum(view, this.version, this.ipOffset, this.tcpOffset, this.endOffset) ? TCP : MALFORMED
  }

  #packet(view: DataView, ip: number, end: number, wireEnd: number): Verdict {
    if (ip >= end) return MALFORMED
    this.ipOffset = ip
    const version = view.getUint8(ip) >> 4
    this.version = version
    if (version === 4) return this.#ipv4(view, ip, end, wireEnd)
    return version === 6 ? this.#ipv6(view, ip, end, wireEnd) : MALFORMED
  }

  /** RFC 791 §3.1. */
  #ipv4(view: DataView, ip: number, end: number, wireEnd: number): Verdict {
    if (ip + IPV4_HEADER_BYTES > end) return MALFORMED
    const headerLength = (view.getUint8(ip) & 15) << 2
    const totalLength = view.getUint16(ip + 2)
    if (headerLength < IPV4_HEADER_BYTES) return MALFORMED
    // Length 0 means segmentation offload or BIG TCP: a packet over 64 KiB that has not been segmented yet.
    if (totalLength !== 0 && totalLength < headerLength) return MALFORMED
    this.#bound(totalLength === 0 ? wireEnd : ip + totalLength, end)
    let protocol = view.getUint8(ip + 9)
    let data = ip + headerLength
    const fragment = view.getUint16(ip + 6)
    if ((fragment & 0x3fff) !== 0) {
      this.fragmentPosition = (fragment & 0x1fff) << 3
      this.moreFragments = (fragment & 0x2000) !== 0
      this.fragmentId = view.getUint16(ip + 4)
      return this.#fragment(view, protocol, data)
    }
    for (let headers = 0; protocol === AUTHENTICATION; headers++) {
      if (headers === MAX_EXTENSION_HEADERS || data + 8 > this.endOffset) return MALFORMED
      protocol = view.getUint8(data)
      data += authenticationBytes(view, data)
    }
    if (protocol !== PROTOCOL_TCP) return this.#tunnel(view, protocol, data)
    return data > this.endOffset ? MALFORMED : this.#tcp(data)
  }

  /** RFC 8200 §3 and §4. */
  #ipv6(view: DataView, ip: number, end: number, wireEnd: number): Verdict {
    if (ip + IPV6_HEADER_BYTES > end) return MALFORMED
    const payloadLength = view.getUint16(ip + 4)
    // Length 0 is BIG TCP, with or without the jumbo payload option that names the length (RFC 2675).
    this.#bound(payloadLength === 0 ? wireEnd : ip + IPV6_HEADER_BYTES + payloadLength, end)
    let next = view.getUint8(ip + 6)
    let at = ip + IPV6_HEADER_BYTES
    for (let headers = 0; isExtensionHeader(next); headers++) {
      if (headers === MAX_EXTENSION_HEADERS || at + 8 > this.endOffset) return MALFORMED
      if (next === FRAGMENT_HEADER && this.#fragmentHeader(view, at)) {
        return this.#fragment(view, view.getUint8(at), at + 8)
      }
      this.#readdressed ||= changesAddresses(next)
      const options = (view.getUint8(at + 1) + 1) << 3
      const length = next === FRAGMENT_HEADER ? 8 : next === AUTHENTICATION ? authenticationBytes(view, at) : options
      next = view.getUint8(at)
      at += length
    }
    return next === PROTOCOL_TCP ? this.#tcp(at) : this.#tunnel(view, next, at)
  }

  /** Looks for TCP in a tunnelled packet; anything that is not a valid packet counts as not TCP. */
  #tunnel(view: DataView, protocol: number, at: number): Verdict {
    if (++this.#tunnels > MAX_TUNNELS) return NON_TCP
    const end = this.endOffset
    const inner = this.#tunnelDecoder.findInner(view, protocol, at, end)
    if (inner === NO_TUNNEL) return NON_TCP
    const verdict = this.#packet(view, inner, end, end)
    return verdict === MALFORMED ? NON_TCP : verdict
  }

  /**
   * Reads a fragment header (RFC 8200 §4.5).
   *
   * @returns false for an atomic fragment, which is a whole packet (RFC 6946)
   */
  #fragmentHeader(view: DataView, at: number): boolean {
    const fragment = view.getUint16(at + 2)
    this.fragmentPosition = fragment & 0xfff8
    this.moreFragments = (fragment & 1) !== 0
    this.fragmentId = view.getInt32(at + 4)
    return this.fragmentPosition !== 0 || this.moreFragments
  }

  /** @param protocol protocol of the packet's payload @param data offset of the fragment's data */
  #fragment(view: DataView, protocol: number, data: number): Verdict {
    const tunnels = this.#tunnelDecoder
    const first = this.fragmentPosition === 0
    const holdsTcp =
      protocol === PROTOCOL_TCP || (this.version === 6 ? isExtensionHeader(protocol) : protocol === AUTHENTICATION)
    if (!holdsTcp && !tunnels.mayCarry(protocol)) return NON_TCP
    if (data > this.endOffset) return MALFORMED
    this.fragmentDataOffset = data
    this.fragmentProtocol = protocol
    this.fragmentWanted = holdsTcp || !first || tunnels.carries(view, protocol, data, this.endOffset)
    return FRAGMENT
  }

  #bound(packetEnd: number, end: number): void {
    this.truncated = packetEnd > end
    this.endOffset = this.truncated ? end : packetEnd
  }

  #tcp(at: number): Verdict {
    this.tcpOffset = at
    return at + TCP_HEADER_BYTES > this.endOffset ? MALFORMED : TCP
  }
}
