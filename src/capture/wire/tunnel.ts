/**
 * Finds the packet within a packet: what overlay networks (VXLAN of Flannel, IP-in-IP of Calico, Geneve of OVN and
 * Cilium) and mobile ones wrap around the traffic of a pod or a phone. Pure functions, no allocation.
 *
 * UDP tunnels are known by their port alone, so what is found is only a guess until it has proved to be a whole packet.
 */
import { afterEtherType, afterPpp, findIp, LINKTYPE_ETHERNET } from './link.ts'

/** No packet in there. */
export const NO_TUNNEL = -1

/** IANA protocol numbers. */
const IPV4_IN_IP = 4
const UDP = 17
const IPV6_IN_IP = 41
const GRE = 47
const ETHERNET_IN_IP = 97

/** IANA ports, and Linux's own for VXLAN, which Flannel still uses. */
const VXLAN = 4789
const VXLAN_LINUX = 8472
const GENEVE = 6081
const GTP_USER = 2152
const TEREDO = 3544
const L2TP = 1701

const TRANSPARENT_ETHERNET = 0x6558
const PPP_IN_GRE = 0x880b
/** Port mirroring over IP: types I and II share one value, type III has its own. */
const ERSPAN = 0x88be
const ERSPAN_3 = 0x22eb

/**
 * @param protocol what the outer packet carries; @param at its first byte; @param end one past its last
 * @returns offset of the inner IP header, not yet checked to be one; or NO_TUNNEL
 */
export function findInner(view: DataView, protocol: number, at: number, end: number): number {
  let inner = NO_TUNNEL
  if (protocol === IPV4_IN_IP || protocol === IPV6_IN_IP) inner = at
  else if (protocol === GRE) inner = afterGre(view, at, end)
  else if (protocol === UDP && at + 16 <= end) inner = afterUdp(view, at, end)
  else if (protocol === ETHERNET_IN_IP) inner = findIp(view, at + 2, end, LINKTYPE_ETHERNET) // RFC 3378 §3
  return inner < 0 || inner >= end ? NO_TUNNEL : inner
}

/** RFC 2784 and RFC 2890; version 1 is PPTP's, with PPP inside (RFC 2637 §4.1). */
function afterGre(view: DataView, at: number, end: number): number {
  if (at + 4 > end) return NO_TUNNEL
  const flags = view.getUint16(at)
  const optional = (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0)
  const type = view.getUint16(at + 2)
  const inner = at + 4 + optional
  if ((flags & 7) === 1) return type === PPP_IN_GRE ? afterPpp(view, inner + (flags & 0x80 ? 4 : 0), end) : NO_TUNNEL
  if (type === ERSPAN || type === ERSPAN_3) return afterErspan(view, type, flags, inner, end)
  return afterType(view, type, inner, end)
}

/** A mirrored Ethernet frame; only type I comes without a GRE sequence number and has no header of its own. */
function afterErspan(view: DataView, type: number, greFlags: number, at: number, end: number): number {
  if (type === ERSPAN) return findIp(view, greFlags & 0x1000 ? at + 8 : at, end, LINKTYPE_ETHERNET)
  if (at + 12 > end) return NO_TUNNEL
  const subheader = view.getUint8(at + 11) & 1 ? 8 : 0
  return findIp(view, at + 12 + subheader, end, LINKTYPE_ETHERNET)
}

function afterUdp(view: DataView, at: number, end: number): number {
  const inner = at + 8
  switch (view.getUint16(at + 2)) {
    case VXLAN:
    case VXLAN_LINUX: // RFC 7348 §5: 8 bytes, then Ethernet
      return findIp(view, inner + 8, end, LINKTYPE_ETHERNET)
    case GENEVE: // RFC 8926 §3.4: 8 bytes and options
      return afterType(view, view.getUint16(inner + 2), inner + 8 + ((view.getUint8(inner) & 63) << 2), end)
    case GTP_USER:
      return afterGtp(view, inner, end)
    case L2TP:
      return afterL2tp(view, inner, end)
    default:
      return view.getUint16(at + 2) === TEREDO || view.getUint16(at) === TEREDO ? inner : NO_TUNNEL
  }
}

function afterType(view: DataView, type: number, at: number, end: number): number {
  return type === TRANSPARENT_ETHERNET ? findIp(view, at, end, LINKTYPE_ETHERNET) : afterEtherType(view, type, at, end)
}

/** Version 2 data messages: length, sequence numbers and padding where their flags say so, then PPP (RFC 2661 §3.1). */
function afterL2tp(view: DataView, at: number, end: number): number {
  const flags = view.getUint16(at)
  if ((flags & 15) !== 2 || (flags & 0x8000) !== 0) return NO_TUNNEL
  let inner = at + 6 + (flags & 0x4000 ? 2 : 0) + (flags & 0x0800 ? 4 : 0)
  if ((flags & 0x0200) !== 0) {
    if (inner + 2 > end) return NO_TUNNEL
    inner += 2 + view.getUint16(inner)
  }
  return afterPpp(view, inner, end)
}

/** GTP version 1, user data only (3GPP TS 29.281 §5.1, §5.2). */
function afterGtp(view: DataView, at: number, end: number): number {
  const flags = view.getUint8(at)
  if (flags >> 4 !== 3 || view.getUint8(at + 1) !== 255) return NO_TUNNEL
  if ((flags & 7) === 0) return at + 8
  // Sequence number, N-PDU number and the type of the first extension header stand together or not at all.
  let inner = at + 12
  while (inner < end && view.getUint8(inner - 1) !== 0) {
    const length = view.getUint8(inner) << 2
    if (length === 0) return NO_TUNNEL
    inner += length
  }
  return inner
}
