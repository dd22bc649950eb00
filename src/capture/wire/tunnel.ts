/**
 * Finds the packet within a packet: what overlay networks (VXLAN of Flannel, IP-in-IP of Calico, Geneve of OVN and
 * Cilium) and mobile ones wrap around the traffic of a pod or a phone. Pure functions, no allocation.
 *
 * UDP tunnels are known by their port alone, so what is found is only a guess until it has proved to be a whole packet.
 */
import { afterPpp, findIp, LINKTYPE_ETHERNET } from './link.ts'

/** No packet in there. */
export const NO_TUNNEL = -1

/** IANA protocol numbers. */
const IPV4_IN_IP = 4
const UDP = 17
const IPV6_IN_IP = 41
const GRE = 47

/** IANA ports, and Linux's own for VXLAN, which Flannel still uses. */
const VXLAN = 4789
const VXLAN_LINUX = 8472
const GENEVE = 6081
const GTP_USER = 2152
const TEREDO = 3544

const TRANSPARENT_ETHERNET = 0x6558
const PPP_IN_GRE = 0x880b

/**
 * @param protocol what the outer packet carries; @param at its first byte; @param end one past its last
 * @returns offset of the inner IP header, not yet checked to be one; or NO_TUNNEL
 */
export function findInner(view: DataView, protocol: number, at: number, end: number): number {
  let inner = NO_TUNNEL
  if (protocol === IPV4_IN_IP || protocol === IPV6_IN_IP) inner = at
  else if (protocol === GRE) inner = afterGre(view, at, end)
  else if (protocol === UDP && at + 16 <= end) inner = afterUdp(view, at, end)
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
  return afterType(view, type, inner, end)
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
    default:
      return view.getUint16(at + 2) === TEREDO || view.getUint16(at) === TEREDO ? inner : NO_TUNNEL
  }
}

function afterType(view: DataView, type: number, at: number, end: number): number {
  if (type === 0x0800 || type === 0x86dd) return at
  return type === TRANSPARENT_ETHERNET ? findIp(view, at, end, LINKTYPE_ETHERNET) : NO_TUNNEL
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
