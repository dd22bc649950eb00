/**
 * Tells virtual networks apart: equal addresses and ports in two VLANs, or in two overlay networks, are two connections.
 *
 * The decoders enter every identifier they pass on the way to the TCP header. Only identifiers that both directions of a
 * connection share belong here: VLAN ids, VNIs, GRE keys, not labels and tunnel endpoints that each direction has its own of
 * (MPLS, GTP, L2TP). Where the two directions differ all the same, sequence numbers connect them (assemble/tcp/tracker.ts).
 */

/** What an identifier is of. */
const VLAN = 1
export const OVERLAY = 2
export const GRE_KEY = 3
/** 802.1ah service instance. */
export const SERVICE = 4
export type NetworkKind = typeof VLAN | typeof OVERLAY | typeof GRE_KEY | typeof SERVICE

const VLAN_ID_BITS = 0xfff

export class NetworkId {
  /** int32: 0 outside every virtual network, else a hash of the identifiers passed, in their order. */
  value = 0

  /** The packet found so far lies in this network. */
  enter(kind: NetworkKind, identifier: number): void {
    let hash = Math.imul(this.value ^ identifier, 0x85ebca6b) + kind
    hash = Math.imul(hash ^ (hash >>> 15), 0x9e3779b1)
    this.value = hash ^ (hash >>> 13)
  }

  /** As `enter`, by a VLAN tag's control information. Identifier 0 is a priority tag, which names no VLAN (802.1Q §9.6). */
  enterVlan(control: number): void {
    const id = control & VLAN_ID_BITS
    if (id !== 0) this.enter(VLAN, id)
  }
}
