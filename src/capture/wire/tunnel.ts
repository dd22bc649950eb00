/**
 * Finds the packet within a tunnelled packet: of overlay networks (Flannel's VXLAN, Calico's IP-in-IP, OVN's and
 * Cilium's Geneve), port mirrors (ERSPAN, VXLAN) and mobile networks.
 *
 * UDP tunnels are recognised by their port alone, so the caller has to check that the result is a complete packet.
 * Nothing here throws or allocates.
 */
import { PROTOCOL_UDP } from '../../net/ip-protocols.ts'
import { answersFromPort, type Tunnels, type UdpTunnel } from '../../net/tunnels.ts'
import { afterEthernet, afterEtherType, afterMpls, afterPpp } from './ether-type.ts'
import { GRE_KEY, type NetworkId, OVERLAY } from './network-id.ts'

/** The packet is not a tunnel, or has no packet inside. */
export const NO_TUNNEL = -1

/** IANA protocol numbers. */
const IPV4_IN_IP = 4
const IPV6_IN_IP = 41
const GRE = 47
const ETHERNET_IN_IP = 97

const UDP_HEADER_BYTES = 8
/** The shortest header of a UDP tunnel, and some bytes after it. */
const MIN_UDP_PAYLOAD_BYTES = 8

/** EtherTypes that only tunnels carry. */
const TRANSPARENT_ETHERNET = 0x6558
const PPP_IN_GRE = 0x880b
/** Port mirroring over GRE: types I and II share one value, type III has its own. */
const ERSPAN = 0x88be
const ERSPAN_3 = 0x22eb

/** GRE flags (RFC 2784 §2.1, RFC 2890 §2, RFC 2637 §4.1). */
const GRE_CHECKSUM = 0x8000
const GRE_KEY_PRESENT = 0x2000
const GRE_SEQUENCE = 0x1000
const GRE_ACKNOWLEDGEMENT = 0x0080
const GRE_VERSION = 7

/** Kinds of UDP tunnels as the port table holds them; 0 is none. */
const KINDS: Readonly<Record<UdpTunnel, number>> = {
  vxlan: 1,
  'vxlan-gpe': 2,
  geneve: 3,
  gue: 4,
  'gre-in-udp': 5,
  'mpls-in-udp': 6,
  gtp: 7,
  l2tp: 8,
  teredo: 9,
}
const PORTS = 65536

/** Finds inner packets of the configured tunnels. One instance per decoder. */
export class TunnelDecoder {
  readonly #network: NetworkId
  readonly #ipip: boolean
  readonly #gre: boolean
  readonly #erspan: boolean
  readonly #etherip: boolean
  readonly #udp: boolean
  /** The kind of tunnel by the UDP port that a packet is sent to. */
  readonly #kinds = new Uint8Array(PORTS)
  /** The same by the port that a packet comes from. */
  readonly #answers = new Uint8Array(PORTS)

  /** @param network updated with each overlay network of a packet */
  constructor(network: NetworkId, { ip, udp }: Tunnels) {
    this.#network = network
    this.#ipip = ip.has('ipip')
    this.#gre = ip.has('gre')
    this.#erspan = ip.has('erspan')
    this.#etherip = ip.has('etherip')
    this.#udp = udp.size > 0
    for (const [port, tunnel] of udp) {
      this.#kinds[port] = KINDS[tunnel]
      if (answersFromPort(tunnel)) this.#answers[port] = KINDS[tunnel]
    }
  }

  /** Whether packets of this protocol may be tunnels. */
  mayCarry(protocol: number): boolean {
    switch (protocol) {
      case PROTOCOL_UDP:
        return this.#udp
      case IPV4_IN_IP:
      case IPV6_IN_IP:
        return this.#ipip
      case GRE:
        return this.#gre || this.#erspan
      default:
        return protocol === ETHERNET_IN_IP && this.#etherip
    }
  }

  /** Whether a packet of such a protocol may be a tunnel, by its data at `at`. @param end one past the last captured byte */
  carries(view: DataView, protocol: number, at: number, end: number): boolean {
    return protocol !== PROTOCOL_UDP || at + UDP_HEADER_BYTES > end || this.#udpKind(view, at) !== 0
  }

  /**
   * @param protocol of the outer packet's payload, from @param at to @param end (exclusive)
   * @returns offset of the inner IP header, not yet checked to be one; or NO_TUNNEL
   */
  findInner(view: DataView, protocol: number, at: number, end: number): number {
    let inner = NO_TUNNEL
    if (protocol === PROTOCOL_UDP) inner = this.#afterUdp(view, at, end)
    else if (protocol === GRE) inner = this.#afterGre(view, at, end, this.#gre)
    else if (protocol === IPV4_IN_IP || protocol === IPV6_IN_IP) inner = this.#ipip ? at : NO_TUNNEL
    else if (protocol === ETHERNET_IN_IP && this.#etherip) inner = this.#ethernet(view, at + 2, end) // RFC 3378 §3
    return inner < 0 || inner >= end ? NO_TUNNEL : inner
  }

  #udpKind(view: DataView, at: number): number {
    const kind = this.#kinds[view.getUint16(at + 2)]
    return kind !== 0 ? kind : this.#answers[view.getUint16(at)]
  }

  #afterUdp(view: DataView, at: number, end: number): number {
    const inner = at + UDP_HEADER_BYTES
    if (inner + MIN_UDP_PAYLOAD_BYTES > end) return NO_TUNNEL
    switch (this.#udpKind(view, at)) {
      case KINDS.vxlan: // RFC 7348 §5
        this.#network.enter(OVERLAY, view.getUint32(inner + 4) >>> 8)
        return this.#ethernet(view, inner + 8, end)
      case KINDS['vxlan-gpe']:
        return this.#afterVxlanGpe(view, inner, end)
      case KINDS.geneve: // RFC 8926 §3.4: 8 bytes and options
        this.#network.enter(OVERLAY, view.getUint32(inner + 4) >>> 8)
        return this.#byType(view, view.getUint16(inner + 2), inner + 8 + ((view.getUint8(inner) & 63) << 2), end)
      case KINDS.gue:
        return this.#afterGue(view, inner, end)
      case KINDS['gre-in-udp']: // RFC 8086 §4
        return this.#afterGre(view, inner, end, true)
      case KINDS['mpls-in-udp']: // RFC 7510 §3
        return afterMpls(view, inner, end, this.#network)
      case KINDS.gtp:
        return afterGtp(view, inner, end)
      case KINDS.l2tp:
        return afterL2tp(view, inner, end)
      case KINDS.teredo:
        return inner
      default:
        return NO_TUNNEL
    }
  }

  /**
   * RFC 2784 and RFC 2890; version 1 is PPTP's, with PPP inside and a call number for a key (RFC 2637 §4.1).
   *
   * @param plain whether GRE is decoded, and not only ERSPAN
   */
  #afterGre(view: DataView, at: number, end: number, plain: boolean): number {
    if (at + 4 > end) return NO_TUNNEL
    const flags = view.getUint16(at)
    const type = view.getUint16(at + 2)
    const key = at + 4 + (flags & GRE_CHECKSUM ? 4 : 0)
    const inner = key + (flags & GRE_KEY_PRESENT ? 4 : 0) + (flags & GRE_SEQUENCE ? 4 : 0)
    if (inner > end) return NO_TUNNEL
    const version = flags & GRE_VERSION
    if (version === 1) {
      if (!plain || type !== PPP_IN_GRE) return NO_TUNNEL
      return afterPpp(view, inner + (flags & GRE_ACKNOWLEDGEMENT ? 4 : 0), end)
    }
    if (type === ERSPAN || type === ERSPAN_3) return this.#afterErspan(view, type, flags, inner, end)
    if (!plain) return NO_TUNNEL
    if ((flags & GRE_KEY_PRESENT) !== 0) this.#network.enter(GRE_KEY, view.getInt32(key))
    return this.#byType(view, type, inner, end)
  }

  /**
   * A mirrored Ethernet frame (draft-foschiano-erspan-03 §4). Type I has neither a GRE sequence number nor a header;
   * the headers of the others contain the VLAN that the mirror has removed from the frame.
   */
  #afterErspan(view: DataView, type: number, greFlags: number, at: number, end: number): number {
    if (!this.#erspan) return NO_TUNNEL
    if (type === ERSPAN && (greFlags & GRE_SEQUENCE) === 0) return this.#ethernet(view, at, end)
    if (at + 12 > end) return NO_TUNNEL
    this.#network.enterVlan(view.getUint16(at))
    if (type === ERSPAN) return this.#ethernet(view, at + 8, end)
    const subheader = view.getUint8(at + 11) & 1 ? 8 : 0
    return this.#ethernet(view, at + 12 + subheader, end)
  }

  /** draft-ietf-nvo3-vxlan-gpe-13 §3: as VXLAN; with the P flag, a field has the type of the payload. */
  #afterVxlanGpe(view: DataView, at: number, end: number): number {
    this.#network.enter(OVERLAY, view.getUint32(at + 4) >>> 8)
    const next = (view.getUint8(at) & 4) === 0 ? 3 : view.getUint8(at + 3)
    if (next === 1 || next === 2) return at + 8
    return next === 3 ? this.#ethernet(view, at + 8, end) : NO_TUNNEL
  }

  /** draft-ietf-intarea-gue-09 §3: version 0 has a header and an IP protocol, version 1 is the packet itself. */
  #afterGue(view: DataView, at: number, end: number): number {
    const first = view.getUint8(at)
    if (first >> 6 === 1) return at
    // A control message, or a version that is not known.
    if (first >> 5 !== 0) return NO_TUNNEL
    const inner = at + 4 + ((first & 31) << 2)
    const protocol = view.getUint8(at + 1)
    if (protocol === IPV4_IN_IP || protocol === IPV6_IN_IP) return inner
    if (protocol === GRE) return this.#afterGre(view, inner, end, true)
    return protocol === ETHERNET_IN_IP ? this.#ethernet(view, inner + 2, end) : NO_TUNNEL
  }

  #byType(view: DataView, type: number, at: number, end: number): number {
    if (type === TRANSPARENT_ETHERNET) return this.#ethernet(view, at, end)
    return afterEtherType(view, type, at, end, this.#network)
  }

  #ethernet(view: DataView, at: number, end: number): number {
    return afterEthernet(view, at, end, this.#network)
  }
}

/** Version 2 data messages: length, sequence numbers and padding where their flags announce them, then PPP (RFC 2661 §3.1). */
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
  // Sequence number, N-PDU number and the type of the first extension header are either all present or all absent.
  let inner = at + 12
  while (inner < end && view.getUint8(inner - 1) !== 0) {
    const length = view.getUint8(inner) << 2
    if (length === 0) return NO_TUNNEL
    inner += length
  }
  return inner
}
