/**
 * Follows EtherTypes, tags and labels to the IP header, for Ethernet and for tunnels and link layers that use the same
 * types. Pure functions over a frame's bytes; nothing here throws or allocates.
 */
import { type NetworkId, SERVICE } from './network-id.ts'

/** A link layer that carries something other than IP. */
export const NOT_IP = -2
/** The link-layer header ends before it should. */
export const CUT_LINK = -3

const ETHERNET_BYTES = 14
const CONTROL_WORD_BYTES = 4
const MPLS = 0x8847
/** Limit of VLAN tags, MPLS labels and similar headers before one packet, which bounds the loop. */
const MAX_TAGS = 16
/** An EtherType up to here is a length: an LLC header follows (IEEE 802.3 §3.2.6). */
const MAX_LENGTH = 1500

/** @returns offset of the IP header, not yet checked to be one; NOT_IP or CUT_LINK */
export function afterEthernet(view: DataView, start: number, end: number, network: NetworkId): number {
  if (start + ETHERNET_BYTES > end) return CUT_LINK
  return afterEtherType(view, view.getUint16(start + 12), start + ETHERNET_BYTES, end, network)
}

/**
 * Follows tags and encapsulations from an EtherType (IEEE 802 Numbers) to the IP header.
 *
 * @param offset first byte after the EtherType
 * @param network updated with each VLAN
 * @returns as `afterEthernet`
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
      case MPLS:
      case 0x8848: {
        at = afterLabels(view, at, end)
        if (at < 0 || isIpAt(view, at)) return at
        at = pseudowireFrame(view, at, end)
        if (at < 0) return at
        type = view.getUint16(at + 12)
        at += ETHERNET_BYTES
        break
      }
      case 0x8864: // PPPoE session: 6 bytes, then PPP (RFC 2516 §4)
        return afterPpp(view, at + 6, end)
      default:
        if (type > MAX_LENGTH || !isSnap(view, at, end)) return NOT_IP
        type = view.getUint16(at + 6)
        at += 8
    }
  }
  return NOT_IP
}

/** Whether an LLC header announces SNAP without an organisation (RFC 1042): an EtherType follows. */
const isSnap = (view: DataView, at: number, end: number): boolean =>
  at + 8 <= end && view.getUint32(at) === 0xaaaa0300 && view.getUint16(at + 4) === 0

/** Link layers other than Ethernet whose payload begins with an LLC header. @returns as `afterEthernet` */
export const afterLlc = (view: DataView, at: number, end: number, network: NetworkId): number =>
  at + 8 > end ? CUT_LINK : afterEtherType(view, 0, at, end, network)

/** A stack of MPLS labels, with IP or an Ethernet pseudowire below it. @returns as `afterEthernet` */
export const afterMpls = (view: DataView, at: number, end: number, network: NetworkId): number =>
  afterEtherType(view, MPLS, at, end, network)

/** @returns what follows the bottom of the stack (RFC 3032 §2.1), of which one byte is present; NOT_IP or CUT_LINK */
function afterLabels(view: DataView, offset: number, end: number): number {
  let at = offset
  for (let labels = 0; labels < MAX_TAGS; labels++) {
    if (at + 5 > end) return CUT_LINK
    const bottom = view.getUint8(at + 2) & 1
    at += 4
    if (bottom === 1) return at
  }
  return NOT_IP
}

/** Whether the first half byte is an IP version. */
const isIpAt = (view: DataView, at: number): boolean => {
  const version = view.getUint8(at) >> 4
  return version === 4 || version === 6
}

/**
 * An Ethernet pseudowire, which nothing announces, with or without a control word, whose first half byte is 0 (RFC 4448
 * §4). The frame's EtherType proves which: it has to be a VLAN's, or that of IP before a packet of that version.
 *
 * @returns where the Ethernet frame begins; NOT_IP or CUT_LINK
 */
function pseudowireFrame(view: DataView, at: number, end: number): number {
  if (at + CONTROL_WORD_BYTES + ETHERNET_BYTES >= end) return CUT_LINK
  if (isFrameAt(view, at)) return at
  const hasControlWord = view.getUint8(at) >> 4 === 0 && isFrameAt(view, at + CONTROL_WORD_BYTES)
  return hasControlWord ? at + CONTROL_WORD_BYTES : NOT_IP
}

function isFrameAt(view: DataView, at: number): boolean {
  const version = view.getUint8(at + ETHERNET_BYTES) >> 4
  switch (view.getUint16(at + 12)) {
    case 0x0800:
      return version === 4
    case 0x86dd:
      return version === 6
    case 0x8100:
    case 0x88a8:
      return true
    default:
      return false
  }
}

/**
 * PPP with or without its HDLC address and control bytes; the protocol may be one byte (RFC 1661 §2, RFC 1662 §3.1).
 *
 * @returns as `afterEthernet`
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
