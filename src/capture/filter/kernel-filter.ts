/**
 * The kernel filter in classic BPF: it rejects packets that cannot hold HTTP before the kernel copies them into the
 * ring. If in doubt, it accepts a packet: later stages decide exactly.
 *
 * Passes: IPv4 with protocol TCP or an authentication header, fragments too; IPv6 with next header TCP or an extension
 * header; both behind up to two VLAN tags in the bytes (the kernel removes the outer tag before it runs the filter).
 * With `tunnels`, also the configured tunnels and other encapsulations that the decoder reads: MPLS, PPPoE, 802.1ah,
 * SNAP. Rejects: everything else, the exclusions, and with `onlyAddresses` and `onlyPorts` packets from and to all
 * others.
 *
 * On a cooked socket every packet with a VLAN tag passes.
 */
import { usageError } from '../../errors.ts'
import { parseAddress } from '../../net/ip-address.ts'
import { AUTHENTICATION, isExtensionHeader, PROTOCOL_TCP, PROTOCOL_UDP } from '../../net/ip-protocols.ts'
import type { PortRange } from '../../net/port-ranges.ts'
import { answersFromPort, ipProtocolsOf, type Tunnels } from '../../net/tunnels.ts'
import { ARPHRD_LOOPBACK, type BpfInstruction, PACKET_OUTGOING } from '../../sys/packet.ts'
import {
  AD_HARDWARE_TYPE,
  AD_PACKET_TYPE,
  AD_PROTOCOL,
  ALU_ADD_X,
  ALU_AND_K,
  ALU_LSH_K,
  assembleBpf,
  JEQ_K,
  JGE_K,
  JGT_K,
  JSET_K,
  jump,
  jumpIf,
  jumpUnless,
  type Label,
  LD_B_IND,
  LD_H_ABS,
  LD_H_IND,
  LD_MEM,
  LD_W_ABS,
  LD_W_IND,
  LDX_IMM,
  type Line,
  label,
  MAX_INSTRUCTIONS,
  op,
  place,
  RET_K,
  reject,
  ST,
  TAX,
} from './bpf.ts'

/** Traffic to exclude: both directions of connections with this endpoint. */
export interface Exclusion {
  /** IPv4 or IPv6 address in text; null: any. */
  readonly address: string | null
  readonly port: number
}

/** What is at offset 0 of the filter's input: an Ethernet header, or (cooked) the packet itself. */
export type FilterView = 'ethernet' | 'cooked'

/** Which outgoing copies the filter rejects: loopback delivers each packet outgoing and incoming, and one is enough. */
export type OutgoingRule = 'keep' | 'drop' | 'drop-on-loopback'

export interface FilterRequest {
  readonly view: FilterView
  readonly outgoing: OutgoingRule
  readonly exclude: readonly Exclusion[]
  /** Only packets from or to these addresses, in text; null: all. */
  readonly onlyAddresses: readonly string[] | null
  /** Only packets from or to these ports; null: all. */
  readonly onlyPorts: readonly PortRange[] | null
  /** Tunnels whose packets pass too; null: only TCP that is not encapsulated passes. */
  readonly tunnels: Tunnels | null
  /** A compiled expression for the same view, applied to packets that pass the built-in filter. */
  readonly expression: readonly BpfInstruction[] | null
  /** Bytes kept of a frame. */
  readonly snapLength: number
}

/** Limit of addresses of each family for `onlyAddresses`. With more, all pass, and the assemblers filter. */
export const MAX_ADDRESSES = 64

/** Limit of ranges for `onlyPorts`. With more, all ports pass, and the assemblers filter. */
const MAX_PORT_RANGES = 128

export const ETHERTYPE_IPV4 = 0x0800
export const ETHERTYPE_IPV6 = 0x86dd
const ETHERTYPES_VLAN = [0x8100, 0x88a8, 0x9100]
/** MPLS, PPPoE session, 802.1ah, VN-Tag, FabricPath: as wire/link.ts reads them. */
const ETHERTYPES_CARRYING_IP = [0x8847, 0x8848, 0x8864, 0x88e7, 0x8926, 0x8903]
/** EtherTypes up to here are lengths of 802.3 frames, whose LLC header announces SNAP where IP follows. */
const MAX_LENGTH = 1500
const LLC_SNAP = 0xaaaa

/** Eight of the 256. */
const EXTENSION_HEADERS = Array.from({ length: 256 }, (_, next) => next).filter(isExtensionHeader)
const IPV4_FRAGMENT_OFFSET = 0x1fff
export const IPV6_HEADER_BYTES = 40

// Scratch memory: the packet's addresses and ports, for the exclusions.
const SOURCE_ADDRESS = 0
const DESTINATION_ADDRESS = 4
const SOURCE_PORT = 8
const DESTINATION_PORT = 9

/**
 * Builds the filter.
 *
 * @throws InterceptorError (EXIT_USAGE) over MAX_INSTRUCTIONS; TypeError for an exclusion with an invalid address
 */
export function buildFilter(request: FilterRequest): BpfInstruction[] {
  const accept = label('accept')
  const verdict = request.expression ?? [{ code: RET_K, jt: 0, jf: 0, k: request.snapLength }]
  const builtIn = assembleBpf([
    ...rejectOutgoing(request.outgoing),
    ...(request.view === 'ethernet' ? findPacket() : findCookedPacket(accept)),
    ...byEtherType(request, accept),
    place(accept),
  ])
  // The verdict's jumps are relative, so the programs combine by concatenation.
  const program = [...builtIn, ...verdict]
  if (program.length > MAX_INSTRUCTIONS) {
    throw usageError(
      `the capture filter is too long: ${program.length} instructions, the kernel accepts ${MAX_INSTRUCTIONS}`,
      { hint: 'Exclude fewer ports, or simplify the expression.' },
    )
  }
  return program
}

/** A filter that rejects everything: it closes a ring to new frames before the ring is drained. */
export const rejectAll: readonly BpfInstruction[] = [{ code: RET_K, jt: 0, jf: 0, k: 0 }]

function rejectOutgoing(rule: OutgoingRule): Line[] {
  if (rule === 'keep') return []
  const incoming = label('incoming')
  const onLoopback =
    rule === 'drop' ? [] : [op(LD_W_ABS, AD_HARDWARE_TYPE), jumpUnless(JEQ_K, ARPHRD_LOOPBACK, incoming)]
  return [
    ...onLoopback,
    op(LD_W_ABS, AD_PACKET_TYPE),
    jumpUnless(JEQ_K, PACKET_OUTGOING, incoming),
    reject,
    place(incoming),
  ]
}

/** Leaves the ethertype in A and the offset of the IP header in X, past up to two VLAN tags. */
export function findPacket(): Line[] {
  const untagged = label('untagged')
  const pastTag = (offset: number): Line[] => [
    ...unlessTagged(untagged),
    op(LDX_IMM, offset + 4),
    op(LD_H_ABS, offset + 2),
  ]
  return [op(LDX_IMM, 14), op(LD_H_ABS, 12), ...pastTag(14), ...pastTag(18), place(untagged)]
}

/**
 * As `findPacket`, without a link layer. A tagged packet begins with its tag or after it, depending on its path, so it passes
 * without any rule being applied.
 */
export function findCookedPacket(accept: Label): Line[] {
  const tests = ETHERTYPES_VLAN.map((type) => jumpIf(JEQ_K, type, accept))
  return [op(LDX_IMM, 0), op(LD_W_ABS, AD_PROTOCOL), ...tests]
}

function unlessTagged(to: Label): Line[] {
  const tagged = label('tagged')
  return [...ETHERTYPES_VLAN.map((type) => jumpIf(JEQ_K, type, tagged)), jump(to), place(tagged)]
}

function byEtherType(request: FilterRequest, accept: Label): Line[] {
  const ipv4 = label('IPv4')
  const ipv6 = label('IPv6')
  return [
    jumpIf(JEQ_K, ETHERTYPE_IPV4, ipv4),
    jumpIf(JEQ_K, ETHERTYPE_IPV6, ipv6),
    ...(request.tunnels === null ? [reject] : linkEncapsulations(accept)),
    place(ipv4),
    ...ipv4Rules(request, accept),
    place(ipv6),
    ...ipv6Rules(request, accept),
  ]
}

/** Passes frames of other EtherTypes that may hold IP, without applying the rules, which need an IP header. */
function linkEncapsulations(accept: Label): Line[] {
  const other = label('other')
  return [
    ...ETHERTYPES_CARRYING_IP.map((type) => jumpIf(JEQ_K, type, accept)),
    jumpIf(JGT_K, MAX_LENGTH, other),
    op(LD_H_IND, 0),
    jumpIf(JEQ_K, LLC_SNAP, accept),
    place(other),
    reject,
  ]
}

function ipv4Rules({ exclude, onlyAddresses, onlyPorts, tunnels }: FilterRequest, accept: Label): Line[] {
  const exclusions = exclude.flatMap((exclusion) => {
    const address = exclusion.address === null ? [] : parseAddress(exclusion.address)
    return address.length > 1 ? [] : excludeRule(exclusion.port, address)
  })
  const rules = [...exclusions, ...onlyPortRules(onlyPorts)]
  // Fragments after the first have no ports, so they pass.
  const ipv4Ports = [op(LD_H_IND, 6), jumpIf(JSET_K, IPV4_FRAGMENT_OFFSET, accept), ...pastIpv4Header()]
  const addresses = [
    ...[op(LD_W_IND, 12), op(ST, SOURCE_ADDRESS), op(LD_W_IND, 16), op(ST, DESTINATION_ADDRESS)],
    ...ipv4Ports,
    ...loadPorts(0),
  ]
  const tcp = label('TCP over IPv4')
  return [
    ...onlyRules(onlyAddresses, 1, 12, 16),
    op(LD_B_IND, 9),
    jumpIf(JEQ_K, PROTOCOL_TCP, tcp),
    jumpIf(JEQ_K, AUTHENTICATION, accept),
    ...tunnelRules(tunnels, accept, ipv4Ports, 0),
    place(tcp),
    ...(rules.length === 0 ? [] : [...addresses, ...rules]),
    jump(accept),
  ]
}

/** X += 4 * IHL. */
export const pastIpv4Header = (): Line[] => [
  op(LD_B_IND, 0),
  op(ALU_AND_K, 0xf),
  op(ALU_LSH_K, 2),
  op(ALU_ADD_X),
  op(TAX),
]

function ipv6Rules({ exclude, onlyAddresses, onlyPorts, tunnels }: FilterRequest, accept: Label): Line[] {
  const exclusions = exclude.flatMap((exclusion) => {
    const address = exclusion.address === null ? [] : parseAddress(exclusion.address)
    return address.length === 1 ? [] : excludeRule(exclusion.port, address)
  })
  const rules = [...exclusions, ...onlyPortRules(onlyPorts)]
  const words = [0, 1, 2, 3]
  const addresses = [
    ...words.flatMap((word) => [op(LD_W_IND, 8 + word * 4), op(ST, SOURCE_ADDRESS + word)]),
    ...words.flatMap((word) => [op(LD_W_IND, 24 + word * 4), op(ST, DESTINATION_ADDRESS + word)]),
    ...loadPorts(IPV6_HEADER_BYTES),
  ]
  const tcp = label('TCP over IPv6')
  return [
    ...onlyRules(onlyAddresses, 4, 8, 24),
    op(LD_B_IND, 6),
    jumpIf(JEQ_K, PROTOCOL_TCP, tcp),
    // After an extension header anything may follow, so the packet passes.
    ...EXTENSION_HEADERS.map((type) => jumpIf(JEQ_K, type, accept)),
    ...tunnelRules(tunnels, accept, [], IPV6_HEADER_BYTES),
    place(tcp),
    ...(rules.length === 0 ? [] : [...addresses, ...rules]),
    jump(accept),
  ]
}

/**
 * Decides about packets that are not TCP. A holds the protocol.
 *
 * @param toUdp moves X, accepts fragments without a UDP header; @param at offset of that header from X
 */
function tunnelRules(tunnels: Tunnels | null, accept: Label, toUdp: readonly Line[], at: number): Line[] {
  if (tunnels === null) return [reject]
  const protocols = ipProtocolsOf(tunnels).map((protocol) => jumpIf(JEQ_K, protocol, accept))
  if (tunnels.udp.size === 0) return [...protocols, reject]
  const udp = label('UDP')
  const either = [...tunnels.udp].filter(([, name]) => answersFromPort(name))
  return [
    ...protocols,
    jumpIf(JEQ_K, PROTOCOL_UDP, udp),
    reject,
    place(udp),
    ...toUdp,
    op(LD_H_IND, at + 2),
    ...[...tunnels.udp.keys()].map((port) => jumpIf(JEQ_K, port, accept)),
    op(LD_H_IND, at),
    ...either.map(([port]) => jumpIf(JEQ_K, port, accept)),
    reject,
  ]
}

/**
 * Rejects packets with none of the addresses at either end; continues otherwise.
 *
 * @param words of an address of this family; @param source,destination their offsets from X
 */
function onlyRules(only: readonly string[] | null, words: number, source: number, destination: number): Line[] {
  if (only === null) return []
  const addresses = [...new Set(only)].map(parseAddress).filter(({ length }) => length === words)
  if (addresses.length > MAX_ADDRESSES) return []
  const ours = label('ours')
  const tests = [source, destination].flatMap((end) =>
    addresses.flatMap((address) => {
      const next = label('next address')
      // The last word first: addresses of one network differ there.
      const compare = address.flatMap((_, index) => {
        const word = words - 1 - index
        return [op(LD_W_IND, end + word * 4), jumpUnless(JEQ_K, address[word], next)]
      })
      return [...compare, jump(ours), place(next)]
    }),
  )
  return [...tests, reject, place(ours)]
}

const loadPorts = (tcpOffset: number): Line[] => [
  op(LD_H_IND, tcpOffset),
  op(ST, SOURCE_PORT),
  op(LD_H_IND, tcpOffset + 2),
  op(ST, DESTINATION_PORT),
]

/** Rejects packets with none of the ports at either end; continues otherwise. */
function onlyPortRules(ranges: readonly PortRange[] | null): Line[] {
  if (ranges === null || ranges.length > MAX_PORT_RANGES) return []
  const wanted = label('wanted port')
  const tests = [SOURCE_PORT, DESTINATION_PORT].flatMap((slot) =>
    ranges.flatMap(({ first, last }) => {
      const next = label('next range')
      return [op(LD_MEM, slot), jumpUnless(JGE_K, first, next), jumpIf(JGT_K, last, next), jump(wanted), place(next)]
    }),
  )
  return [...tests, reject, place(wanted)]
}

/** Rejects when either end has this port and these address words (none: any address); continues otherwise. */
function excludeRule(port: number, address: readonly number[]): Line[] {
  const oneEnd = (portSlot: number, addressSlot: number): Line[] => {
    const other = label('other end')
    return [
      op(LD_MEM, portSlot),
      jumpUnless(JEQ_K, port, other),
      ...address.flatMap((word, index) => [op(LD_MEM, addressSlot + index), jumpUnless(JEQ_K, word, other)]),
      reject,
      place(other),
    ]
  }
  return [...oneEnd(SOURCE_PORT, SOURCE_ADDRESS), ...oneEnd(DESTINATION_PORT, DESTINATION_ADDRESS)]
}
