/**
 * Finds the IP header behind the link-layer header of a frame, by its link type. Nothing here throws or allocates.
 *
 * The IP version is read from the packet's version field and not from the link layer, so the two cannot disagree.
 */
import { afterEthernet, afterEtherType, afterLlc, afterMpls, afterPpp, CUT_LINK, NOT_IP } from './ether-type.ts'
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from './link-types.ts'
import type { NetworkId } from './network-id.ts'

/** A link type that cannot be read. */
export const UNKNOWN_LINK = -1

/** @returns offset of the IP header, not yet checked to be one; NOT_IP, CUT_LINK or UNKNOWN_LINK */
type LinkReader = (view: DataView, start: number, end: number, network: NetworkId) => number

/**
 * @param start first byte of the link-layer header; @param end one past the last captured byte
 * @param linkType a LINKTYPE_ value; @param network updated with each VLAN
 * @returns offset of the IP header, not yet checked to be one; or UNKNOWN_LINK, NOT_IP, CUT_LINK
 */
export function findIp(view: DataView, start: number, end: number, linkType: number, network: NetworkId): number {
  if (linkType === LINKTYPE_ETHERNET) return afterEthernet(view, start, end, network)
  if (linkType === LINKTYPE_RAW) return start
  const reader = READERS.get(linkType)
  return reader === undefined ? UNKNOWN_LINK : reader(view, start, end, network)
}

/** Whether frames of a link type can be read. */
export const isReadable = (linkType: number): boolean => READERS.has(linkType)

/** The packet begins after a fixed number of bytes. */
const packetAt =
  (bytes: number): LinkReader =>
  (_view, start, end) =>
    start + bytes > end ? CUT_LINK : start + bytes

/** An Ethernet frame begins after a fixed number of bytes. */
const ethernetAt =
  (bytes: number): LinkReader =>
  (view, start, end, network) =>
    afterEthernet(view, start + bytes, end, network)

/** A header of fixed length that contains an EtherType. */
const etherTypeAt =
  (typeAt: number, bytes: number): LinkReader =>
  (view, start, end, network) =>
    start + bytes > end ? CUT_LINK : afterEtherType(view, view.getUint16(start + typeAt), start + bytes, end, network)

/** An LLC header begins after a fixed number of bytes. */
const llcAt =
  (bytes: number): LinkReader =>
  (view, start, end, network) =>
    afterLlc(view, start + bytes, end, network)

/** A link layer preceded by one byte for the direction. */
const afterDirection =
  (reader: LinkReader): LinkReader =>
  (view, start, end, network) =>
    reader(view, start + 1, end, network)

/** An address family of four bytes in the byte order of the capturing host; AF_INET6 differs from system to system. */
const afterFamily: LinkReader = (view, start, end) => {
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

/** PPP where the capturing host may have kept less than the HDLC header; Cisco HDLC shows in the address byte. */
const pppOrHdlc: LinkReader = (view, start, end, network) => {
  if (start + 4 > end) return afterPpp(view, start, end)
  const address = view.getUint8(start)
  return address === 0x0f || address === 0x8f ? ciscoHdlc(view, start, end, network) : afterPpp(view, start, end)
}

/** Captures of serial lines confuse the link types of PPP and Cisco HDLC; PPP's address byte distinguishes them. */
const ciscoHdlc: LinkReader = (view, start, end, network) => {
  if (start + 4 > end) return CUT_LINK
  if (view.getUint8(start) === 0xff) return afterPpp(view, start, end)
  return afterEtherType(view, view.getUint16(start + 2), start + 4, end, network)
}

const MAX_FRAME_RELAY_ADDRESS = 4

/**
 * Frame Relay: an address whose last byte has its lowest bit set, then RFC 2427 §3, or an EtherType as Cisco writes it.
 */
const frameRelay: LinkReader = (view, start, end, network) => {
  let at = start
  let last = false
  while (!last) {
    if (at === start + MAX_FRAME_RELAY_ADDRESS) return NOT_IP
    if (at + 3 > end) return CUT_LINK
    last = (view.getUint8(at) & 1) === 1
    at++
  }
  if (view.getUint8(at) !== 3) return afterEtherType(view, view.getUint16(at), at + 2, end, network)
  // A padding byte may align what follows.
  at += view.getUint8(at + 1) === 0 ? 2 : 1
  if (at >= end) return CUT_LINK
  switch (view.getUint8(at)) {
    case 0xcc: // IPv4
    case 0x8e: // IPv6
      return at + 1
    case 0x80: // SNAP: three bytes of organisation, then an EtherType
      if (at + 6 > end) return CUT_LINK
      return afterEtherType(view, view.getUint16(at + 4), at + 6, end, network)
    default:
      return NOT_IP
  }
}

/** IEEE 802.5: source routing information follows the addresses if a bit of the source address is set. */
const tokenRing: LinkReader = (view, start, end, network) => {
  if (start + 15 > end) return CUT_LINK
  const routed = (view.getUint8(start + 8) & 0x80) !== 0
  return afterLlc(view, start + 14 + (routed ? view.getUint8(start + 14) & 31 : 0), end, network)
}

/** OpenBSD's packet filter log: its header begins with its length, which is rounded up to a multiple of 4. */
const pflog: LinkReader = (view, start, end) => {
  if (start + 1 > end) return CUT_LINK
  const at = start + ((view.getUint8(start) + 3) & ~3)
  return at > end ? CUT_LINK : at
}

export const LINKTYPE_PKTAP = 258
const DLT_RAW = 12
const PKTAP_FIELDS_BYTES = 12

/** Apple's pktap. */
const pktap: LinkReader = (view, start, end, network) => {
  const frame = pktapFrame(view, start, end)
  return frame < 0 ? frame : findIp(view, frame, end, pktapLinkType(view, start), network)
}

/**
 * A PKTAP record begins with its header's length, a record type and the DLT_ value of the frame that follows, each 32
 * bits little-endian.
 *
 * @returns where the frame begins; CUT_LINK
 */
export function pktapFrame(view: DataView, start: number, end: number): number {
  if (start + PKTAP_FIELDS_BYTES > end) return CUT_LINK
  const frame = start + view.getUint32(start, true)
  return frame > end || frame < start + PKTAP_FIELDS_BYTES ? CUT_LINK : frame
}

/** LINKTYPE_ value of the frame in a PKTAP record. A record within a record is none: -1. */
export function pktapLinkType(view: DataView, start: number): number {
  const dlt = view.getUint32(start + 8, true)
  if (dlt === LINKTYPE_PKTAP) return -1
  return dlt === DLT_RAW ? LINKTYPE_RAW : dlt
}

/** Attributes of type, length and value, in the byte order of the capturing host; one is the packet. */
const nflog: LinkReader = (view, start, end) => {
  const payload = 9
  let at = start + 4
  while (at + 4 <= end) {
    // Types and lengths are small, so the type's upper byte shows the byte order.
    const little = view.getUint8(at + 3) === 0
    if (view.getUint16(at + 2, little) === payload) return at + 4
    const length = view.getUint16(at, little)
    if (length < 4) return NOT_IP
    at += (length + 3) & ~3
  }
  return CUT_LINK
}

/** Endace's record: 16 bytes and extension headers, then 2 bytes before an Ethernet frame, or the packet itself. */
const erf: LinkReader = (view, start, end, network) => {
  if (start + 16 > end) return CUT_LINK
  const type = view.getUint8(start + 8)
  let at = start + 16
  for (let more = type & 0x80; more !== 0; at += 8) {
    if (at + 8 > end) return CUT_LINK
    more = view.getUint8(at) & 0x80
  }
  switch (type & 0x7f) {
    case 2: // Ethernet, and the same with colours or a hash
    case 11:
    case 16:
    case 20:
      return afterEthernet(view, at + 2, end, network)
    case 22: // IPv4
    case 23: // IPv6
      return at > end ? CUT_LINK : at
    default:
      return NOT_IP
  }
}

/** IEEE 802.3br: seven bytes of preamble and a delimiter, which distinguishes whole frames from fragments. */
const mPacket: LinkReader = (view, start, end, network) => {
  if (start + 8 > end) return CUT_LINK
  return view.getUint8(start + 7) === 0xd5 ? afterEthernet(view, start + 8, end, network) : NOT_IP
}

/** By LINKTYPE_ value (https://www.tcpdump.org/linktypes.html). */
const READERS: ReadonlyMap<number, LinkReader> = new Map<number, LinkReader>([
  [0, afterFamily], // NULL: BSD loopback
  [1, ethernetAt(0)],
  [6, tokenRing],
  [8, packetAt(16)], // SLIP
  [9, pppOrHdlc], // PPP
  [10, llcAt(13)], // FDDI
  [12, packetAt(0)], // DLT_RAW as BSD/OS and others wrote it into files
  [14, packetAt(0)], // the same of OpenBSD
  [50, ciscoHdlc], // PPP_HDLC
  [51, (view, start, end) => afterPpp(view, start + 6, end)], // PPP_ETHER
  [100, llcAt(0)], // ATM_RFC1483
  [101, packetAt(0)], // RAW
  [104, ciscoHdlc], // C_HDLC
  [107, frameRelay],
  [108, afterFamily], // LOOP: OpenBSD loopback
  [109, packetAt(12)], // ENC: IPsec of OpenBSD
  [113, etherTypeAt(14, 16)], // LINUX_SLL
  [117, pflog],
  [122, llcAt(16)], // IP_OVER_FC
  [138, etherTypeAt(16, 18)], // APPLE_IP_OVER_IEEE1394
  [166, (view, start, end) => afterPpp(view, start + 2, end)], // PPP_PPPD: direction and control, then the protocol
  [197, erf],
  [204, afterDirection(pppOrHdlc)], // PPP_WITH_DIR
  [205, afterDirection(ciscoHdlc)], // C_HDLC_WITH_DIR
  [206, afterDirection(frameRelay)], // FRELAY_WITH_DIR
  [219, afterMpls], // MPLS
  [226, packetAt(24)], // IPNET of Solaris
  [228, packetAt(0)], // IPV4
  [229, packetAt(0)], // IPV6
  [239, nflog],
  [240, ethernetAt(4)], // NETANALYZER
  [241, ethernetAt(12)], // NETANALYZER_TRANSPARENT: with the preamble
  [242, etherTypeAt(0, 4)], // IPOIB (RFC 4391 §6)
  [LINKTYPE_PKTAP, pktap],
  [259, ethernetAt(8)], // EPON: the preamble with its link identifier
  [274, mPacket],
  [276, etherTypeAt(0, 20)], // LINUX_SLL2
  [281, etherTypeAt(16, 18)], // DSA_TAG_BRCM: a switch's tag of 4 bytes after the addresses
  [282, ethernetAt(4)], // DSA_TAG_BRCM_PREPEND: before them
  [284, etherTypeAt(16, 18)], // DSA_TAG_DSA
  [285, etherTypeAt(20, 22)], // DSA_TAG_EDSA: with an EtherType of its own
])
