/**
 * Finds the IP header behind a link-layer header. Pure functions over a frame's bytes; nothing here throws or allocates.
 *
 * Whether the packet is IPv4 or IPv6 is read from its version field, not from the link layer, so the two cannot disagree.
 */

import { type NetworkId, SERVICE } from './network-id.ts'

/** A link type this module does not know. */
export const UNKNOWN_LINK = -1
/** A known link layer that carries something other than IP. */
export const NOT_IP = -2
/** The link-layer header ends before it should. */
export const CUT_LINK = -3

/** LINKTYPE_ values (https://www.tcpdump.org/linktypes.html). */
export const LINKTYPE_NULL = 0
export const LINKTYPE_ETHERNET = 1
export const LINKTYPE_PPP = 9
export const LINKTYPE_PPP_HDLC = 50
export const LINKTYPE_PPP_ETHER = 51
export const LINKTYPE_RAW = 101
export const LINKTYPE_C_HDLC = 104
export const LINKTYPE_LOOP = 108
export const LINKTYPE_LINUX_SLL = 113
export const LINKTYPE_IPV4 = 228
export const LINKTYPE_IPV6 = 229
export const LINKTYPE_NFLOG = 239
export const LINKTYPE_LINUX_SLL2 = 276
/** DLT_RAW as BSD/OS and others wrote it into files. */
const DLT_RAW_BSDI = 12
const DLT_RAW_OPENBSD = 14

/** VLAN tags, MPLS labels and the like in front of one packet: more is not traffic but an attack on the loop. */
const MAX_TAGS = 16

/**
 * @param start first byte of the link-layer header; @param end one past the last captured byte
 * @param linkType a LINKTYPE_ value; @param network entered for each VLAN passed
 * @returns offset of the IP header, not yet checked to be one; or UNKNOWN_LINK, NOT_IP, CUT_LINK
 */
export function findIp(view: DataView, start: number, end: number, linkType: number, network: NetworkId): number {
  switch (linkType) {
    case LINKTYPE_ETHERNET:
      if (start + 14 > end) return CUT_LINK
      return afterEtherType(view, view.getUint16(start + 12), start + 14, end, network)
    case LINKTYPE_LINUX_SLL:
      if (start + 16 > end) return CUT_LINK
      return afterEtherType(view, view.getUint16(start + 14), start + 16, end, network)
    case LINKTYPE_LINUX_SLL2:
      if (start + 20 > end) return CUT_LINK
      return afterEtherType(view, view.getUint16(start), start + 20, end, network)
    case LINKTYPE_RAW:
    case LINKTYPE_IPV4:
    case LINKTYPE_IPV6:
    case DLT_RAW_BSDI:
    case DLT_RAW_OPENBSD:
      return start
    case LINKTYPE_NULL:
    case LINKTYPE_LOOP:
      return afterFamily(view, start, end)
    case LINKTYPE_PPP_ETHER:
      return afterPpp(view, start + 6, end)
    case LINKTYPE_PPP:
    case LINKTYPE_PPP_HDLC:
    case LINKTYPE_C_HDLC:
      return afterHdlc(view, start, end, linkType, network)
    case LINKTYPE_NFLOG:
      return afterNflog(view, start, end)
    default:
      return UNKNOWN_LINK
  }
}

/**
 * Follows tags and encapsulations from an EtherType (IEEE 802 Numbers) to the IP header.
 *
 * @param offset first byte after the EtherType
 * @returns as `findIp`
 */
export function afterEtherType(
  view: DataView,
  etherType: number,
  offset: number,
  end: number,
  network: NetworkId,
): number {
  let type = etherType
  let at = offset
  for (let tags = 0; tags < MAX_TAGS; tags++) {
    switch (type) {
      case 0x0800: // IPv4
      case 0x86dd: // IPv6
        return at
      case 0x8100: // 802.1Q
      case 0x88a8: // 802.1ad
      case 0x9100: // QinQ before 802.1ad
        if (at + 4 > end) return CUT_LINK
        network.enterVlan(view.getUint16(at))
        type = view.getUint16(at + 2)
        at += 4
        break
      case 0x8926: // VN-Tag (802.1Qbh): 4 bytes, then the next EtherType
        if (at + 6 > end) return CUT_LINK
        type = view.getUint16(at + 4)
        at += 6
        break
      case 0x88e7: // 802.1ah: 4 bytes of tag, then the customer's whole Ethernet header
        if (at + 18 > end) return CUT_LINK
        network.enter(SERVICE, view.getUint32(at) & 0xffffff)
        type = view.getUint16(at + 16)
        at += 18
        break
      case 0x8903: // Cisco FabricPath: 2 bytes of tag, then the inner Ethernet header
        if (at + 16 > end) return CUT_LINK
        type = view.getUint16(at + 14)
        at += 16
        break
      case 0x8847: // MPLS
      case 0x8848:
        return afterMpls(view, at, end)
      case 0x8864: // PPPoE session: 6 bytes, then PPP (RFC 2516 §4)
        return afterPpp(view, at + 6, end)
      default: {
        // A length instead of a type: LLC, and IP only behind a SNAP header without an organisation (RFC 1042).
        if (type > 1500) return NOT_IP
        if (at + 8 > end) return NOT_IP
        if (view.getUint32(at) !== 0xaaaa0300 || view.getUint16(at + 4) !== 0) return NOT_IP
        type = view.getUint16(at + 6)
        at += 8
      }
    }
  }
  return NOT_IP
}

/** Labels up to the bottom of the stack (RFC 3032 §2.1); what follows shows its version itself, or is not IP. */
export function afterMpls(view: DataView, offset: number, end: number): number {
  let at = offset
  for (let labels = 0; labels < MAX_TAGS; labels++) {
    if (at + 5 > end) return CUT_LINK
    const bottom = view.getUint8(at + 2) & 1
    at += 4
    if (bottom === 0) continue
    const version = view.getUint8(at) >> 4
    return version === 4 || version === 6 ? at : NOT_IP
  }
  return NOT_IP
}

/**
 * PPP with or without its HDLC address and control bytes; the protocol may be one byte (RFC 1661 §2, RFC 1662 §3.1).
 *
 * @returns as `findIp`
 */
export function afterPpp(view: DataView, offset: number, end: number): number {
  let at = offset
  if (at + 2 > end) return CUT_LINK
  if (view.getUint16(at) === 0xff03) at += 2
  if (at + 2 > end) return CUT_LINK
  const first = view.getUint8(at)
  const compressed = (first & 1) === 1
  const protocol = compressed ? first : view.getUint16(at)
  return protocol === 0x0021 || protocol === 0x0057 ? at + (compressed ? 1 : 2) : NOT_IP
}

/** Captures of serial lines name PPP and Cisco HDLC by each other's link types; the address byte tells them apart. */
function afterHdlc(view: DataView, start: number, end: number, linkType: number, network: NetworkId): number {
  if (start + 4 > end) return linkType === LINKTYPE_PPP ? afterPpp(view, start, end) : CUT_LINK
  const address = view.getUint8(start)
  const cisco = address === 0x0f || address === 0x8f
  if (address === 0xff || (linkType === LINKTYPE_PPP && !cisco)) return afterPpp(view, start, end)
  return afterEtherType(view, view.getUint16(start + 2), start + 4, end, network)
}

/** An address family of four bytes in the byte order of whoever captured; AF_INET6 differs from system to system. */
function afterFamily(view: DataView, start: number, end: number): number {
  if (start + 4 > end) return CUT_LINK
  const big = view.getUint32(start)
  const family = big > 0xffff ? view.getUint32(start, true) : big
  switch (family) {
    case 2: // AF_INET everywhere
    case 10: // AF_INET6: Linux
    case 23: // Windows
    case 24: // NetBSD, OpenBSD
    case 28: // FreeBSD
    case 30: // macOS
      return start + 4
    default:
      return NOT_IP
  }
}

/** Attributes of type, length and value, in the byte order of whoever captured; one is the packet. */
function afterNflog(view: DataView, start: number, end: number): number {
  const payload = 9
  let at = start + 4
  while (at + 4 <= end) {
    // Types and lengths are small, so the byte order shows in the type's upper byte.
    const little = view.getUint8(at + 3) === 0
    if (view.getUint16(at + 2, little) === payload) return at + 4
    const length = view.getUint16(at, little)
    if (length < 4) return NOT_IP
    at += (length + 3) & ~3
  }
  return CUT_LINK
}
