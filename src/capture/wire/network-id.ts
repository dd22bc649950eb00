/**
 * Identifies virtual networks: equal addresses and ports in two VLANs, or in two overlay networks, are two connections.
 *
 * The decoders add every identifier that they find before the TCP header. Only identifiers that both directions of a
 * connection share are added: VLAN ids, VNIs, GRE keys, but not labels and tunnel endpoints, which differ by direction
 * (MPLS, GTP, L2TP). If the two directions differ nevertheless, sequence numbers connect them
 * (assemble/core/tcp/tracker.ts).
 */

/** Kinds of identifiers. */
const VLAN = 1
export const OVERLAY = 2
export const GRE_KEY = 3
/** 802.1ah service instance. */
export const SERVICE = 4
export type NetworkKind = typeof VLAN | typeof OVERLAY | typeof GRE_KEY | typeof SERVICE

const VLAN_ID_BITS = 0xfff

/** Reused for each packet: set `value` to 0, then enter the networks from the outermost inwards. */
export class NetworkId {
  /** int32: 0 outside any virtual network, else a hash of the identifiers in their order. */
  value = 0

  /** Adds an identifier: the packet is in this network. */
  enter(kind: NetworkKind, identifier: number): void {
    let hash = Math.imul(this.value ^ identifier, 0x85ebca6b) + kind
    hash = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1)
    this.value = hash ^ (hash >>> 13)
  }

  /** As `enter`, for a VLAN tag's control information. Identifier 0 is a priority tag without a VLAN (802.1Q §9.6). */
  enterVlan(control: number): void {
    const id = control & VLAN_ID_BITS
    if (id !== 0) this.enter(VLAN, id)
  }
}
