/**
 * The kernel filter, laid by hand in classic BPF (Documentation/networking/filter.rst): it keeps what cannot be HTTP out
 * of the ring before the kernel copies it. What is in doubt passes; the rest of the pipeline is exact.
 *
 * Passes: IPv4 with protocol TCP, fragments too; IPv6 with next header TCP or an extension header; the same behind up to
 * two VLAN tags. A tag that the kernel has taken out of the bytes is not there for us either.
 * Refuses: everything else, the exclusions, and where only certain addresses are wanted, packets from and to others.
 *
 * On a cooked socket every packet that came with a VLAN tag passes.
 */
import { usageError } from '../../errors.ts'
import { parseAddress } from '../../net/ip-address.ts'
import { ARPHRD_LOOPBACK, type BpfInstruction, PACKET_OUTGOING } from '../../sys/packet.ts'

/** Traffic to leave out: both directions of connections with this end. */
export interface Exclusion {
  /** IPv4 or IPv6 address in text; null: any. */
  readonly address: string | null
  readonly port: number
}

/** What the filter sees at offset 0: an Ethernet header, or (cooked) the packet itself. */
export type FilterView = 'ethernet' | 'cooked'

/** Which outgoing copies the filter refuses: a loopback packet is delivered outgoing and incoming, one of them is enough. */
export type OutgoingRule = 'keep' | 'drop' | 'drop-on-loopback'

export interface FilterRequest {
  readonly view: FilterView
  readonly outgoing: OutgoingRule
  readonly exclude: readonly Exclusion[]
  /** Only packets from or to these addresses, in text; null: all. */
  readonly onlyAddresses: readonly string[] | null
  /** A compiled expression for the same view; it decides about what the built-in filter lets pass. */
  readonly expression: readonly BpfInstruction[] | null
  /** Bytes kept of a frame. */
  readonly snapLength: number
}

/** Most instructions the kernel takes (BPF_MAXINSNS). */
export const MAX_INSTRUCTIONS = 4096

/** Addresses of either family that `onlyAddresses` compares. With more all pass, and it is for the assemblers to tell. */
export const MAX_ADDRESSES = 64

// Opcodes: class | size | mode (linux/bpf_common.h).
const LD_W_ABS = 0x20
const LD_H_ABS = 0x28
const LD_W_IND = 0x40
const LD_H_IND = 0x48
const LD_B_IND = 0x50
const LD_MEM = 0x60
const LDX_IMM = 0x01
const ST = 0x02
const ALU_ADD_X = 0x0c
const ALU_LSH_K = 0x64
const ALU_AND_K = 0x54
const JA = 0x05
const JEQ_K = 0x15
const JSET_K = 0x45
const RET_K = 0x06
const TAX = 0x07

// Ancillary data (SKF_AD_OFF = -0x1000), read as if at these offsets.
const AD_PROTOCOL = 0xfffff000
const AD_PKTTYPE = 0xfffff004
const AD_HATYPE = 0xfffff01c

const ETHERTYPE_IPV4 = 0x0800
const ETHERTYPE_IPV6 = 0x86dd
const ETHERTYPES_VLAN = [0x8100, 0x88a8, 0x9100]
const PROTOCOL_TCP = 6
/** Hop-by-hop, routing, fragment, authentication, destination, mobility, HIP, shim6 (IANA IPv6 extension header types). */
const EXTENSION_HEADERS = [0, 43, 44, 51, 60, 135, 139, 140]
const IPV4_FRAGMENT_OFFSET = 0x1fff

// Scratch memory: the packet's addresses and ports, for the exclusions.
const SOURCE_ADDRESS = 0
const DESTINATION_ADDRESS = 4
const SOURCE_PORT = 8
const DESTINATION_PORT = 9

const op = (code: number, k = 0, jt = 0, jf = 0): BpfInstruction => ({ code, jt, jf, k })
const refuse = op(RET_K, 0)

/**
 * Builds the filter.
 *
 * @throws InterceptorError usage over MAX_INSTRUCTIONS; TypeError for an exclusion whose address is none
 */
export function buildFilter(request: FilterRequest): BpfInstruction[] {
  const verdict = request.expression ?? [op(RET_K, request.snapLength)]
  const rules = byEtherType(ipv4Rules(request), ipv6Rules(request))
  // Everything before the verdict refuses by itself and falls through to accept, so programs combine by concatenation.
  const program = [
    ...outgoingRule(request.outgoing),
    ...(request.view === 'ethernet' ? findPacket() : findCookedPacket(rules.length)),
    ...rules,
    ...verdict,
  ]
  if (program.length > MAX_INSTRUCTIONS) {
    throw usageError(
      `the capture filter is too long: ${program.length} instructions, the kernel takes ${MAX_INSTRUCTIONS}`,
      {
        hint: 'exclude fewer ports, or simplify the expression',
      },
    )
  }
  return program
}

/** A filter that lets nothing pass: what closes a ring before it is drained. */
export const refuseAll: readonly BpfInstruction[] = [refuse]

function outgoingRule(rule: OutgoingRule): BpfInstruction[] {
  if (rule === 'keep') return []
  const dropOutgoing = [op(LD_W_ABS, AD_PKTTYPE), op(JEQ_K, PACKET_OUTGOING, 0, 1), refuse]
  if (rule === 'drop') return dropOutgoing
  return [op(LD_W_ABS, AD_HATYPE), op(JEQ_K, ARPHRD_LOOPBACK, 0, dropOutgoing.length), ...dropOutgoing]
}

/** Leaves the ethertype in A and the offset of the IP header in X, past up to two VLAN tags. */
function findPacket(): BpfInstruction[] {
  const pastTag = (offset: number) => [op(LDX_IMM, offset + 4), op(LD_H_ABS, offset + 2)]
  return [op(LDX_IMM, 14), op(LD_H_ABS, 12), ...whenTagged([...pastTag(14), ...whenTagged(pastTag(18))])]
}

/**
 * The same without a link layer. Of a tagged packet the kernel shows us the tag or what is behind it, depending on where
 * it comes from; it passes, past all rules.
 */
function findCookedPacket(rules: number): BpfInstruction[] {
  return [op(LDX_IMM, 0), op(LD_W_ABS, AD_PROTOCOL), ...whenTagged([op(JA, rules)])]
}

/** Runs `body` when A is the ethertype of a VLAN tag. */
function whenTagged(body: readonly BpfInstruction[]): BpfInstruction[] {
  const last = ETHERTYPES_VLAN.length - 1
  const tests = ETHERTYPES_VLAN.map((type, index) => op(JEQ_K, type, last - index, index === last ? body.length : 0))
  return [...tests, ...body]
}

function byEtherType(ipv4: readonly BpfInstruction[], ipv6: readonly BpfInstruction[]): BpfInstruction[] {
  // Sections may be longer than a conditional jump reaches (255), so those only choose between unconditional ones.
  return [
    op(JEQ_K, ETHERTYPE_IPV4, 2, 0),
    op(JEQ_K, ETHERTYPE_IPV6, 2, 0),
    refuse,
    op(JA, 1),
    op(JA, ipv4.length + 1),
    ...ipv4,
    op(JA, ipv6.length),
    ...ipv6,
  ]
}

type Rules = Pick<FilterRequest, 'exclude' | 'onlyAddresses'>

function ipv4Rules({ exclude, onlyAddresses }: Rules): BpfInstruction[] {
  const rules = exclude.flatMap((exclusion) => {
    const address = exclusion.address === null ? [] : parseAddress(exclusion.address)
    return address.length > 1 ? [] : excludeRule(exclusion.port, address)
  })
  const ours = onlyRules(onlyAddresses, 1, 12, 16)
  const isTcp = [op(LD_B_IND, 9), op(JEQ_K, PROTOCOL_TCP, 1, 0), refuse, ...ours]
  if (rules.length === 0) return isTcp
  const load = [
    ...[op(LD_W_IND, 12), op(ST, SOURCE_ADDRESS), op(LD_W_IND, 16), op(ST, DESTINATION_ADDRESS)],
    // X += 4 * IHL: the TCP header.
    ...[op(LD_B_IND, 0), op(ALU_AND_K, 0xf), op(ALU_LSH_K, 2), op(ALU_ADD_X), op(TAX)],
    ...loadPorts(0),
  ]
  const section = [...load, ...rules]
  // A later fragment has no ports to look at: it passes.
  const isFirst = [op(LD_H_IND, 6), op(JSET_K, IPV4_FRAGMENT_OFFSET, 0, 1), op(JA, section.length)]
  return [...isTcp, ...isFirst, ...section]
}

function ipv6Rules({ exclude, onlyAddresses }: Rules): BpfInstruction[] {
  const rules = exclude.flatMap((exclusion) => {
    const address = exclusion.address === null ? [] : parseAddress(exclusion.address)
    return address.length === 1 ? [] : excludeRule(exclusion.port, address)
  })
  const words = [0, 1, 2, 3]
  const section =
    rules.length === 0
      ? []
      : [
          ...words.flatMap((word) => [op(LD_W_IND, 8 + word * 4), op(ST, SOURCE_ADDRESS + word)]),
          ...words.flatMap((word) => [op(LD_W_IND, 24 + word * 4), op(ST, DESTINATION_ADDRESS + word)]),
          ...loadPorts(40),
          ...rules,
        ]
  // Behind an extension header anything may follow: it passes.
  const extensions = EXTENSION_HEADERS.map((type, index) => op(JEQ_K, type, EXTENSION_HEADERS.length - index, 0))
  return [
    ...onlyRules(onlyAddresses, 4, 8, 24),
    op(LD_B_IND, 6),
    op(JEQ_K, PROTOCOL_TCP, extensions.length + 2, 0),
    ...extensions,
    refuse,
    op(JA, section.length),
    ...section,
  ]
}

/**
 * Refuses what has none of the addresses at either end; falls through otherwise.
 *
 * @param words of an address of this family; @param source,destination where they lie, from X on
 */
function onlyRules(
  only: readonly string[] | null,
  words: number,
  source: number,
  destination: number,
): BpfInstruction[] {
  if (only === null) return []
  const addresses = [...new Set(only)].map(parseAddress).filter(({ length }) => length === words)
  if (addresses.length > MAX_ADDRESSES) return []
  const pairs = [source, destination].flatMap((end) => addresses.map((address) => ({ end, address })))
  const blockLength = 2 * words + 1
  const blocks = pairs.map(({ end, address }, position) => [
    // The last word first: addresses of one network differ there.
    ...address.flatMap((_, index) => {
      const word = words - 1 - index
      return [op(LD_W_IND, end + word * 4), op(JEQ_K, address[word], 0, blockLength - 2 * (index + 1))]
    }),
    op(JA, (pairs.length - 1 - position) * blockLength + 1),
  ])
  return [...blocks.flat(), refuse]
}

const loadPorts = (tcpOffset: number): BpfInstruction[] => [
  op(LD_H_IND, tcpOffset),
  op(ST, SOURCE_PORT),
  op(LD_H_IND, tcpOffset + 2),
  op(ST, DESTINATION_PORT),
]

/** Refuses when either end has this port and these address words (none: any address); falls through otherwise. */
function excludeRule(port: number, address: readonly number[]): BpfInstruction[] {
  const oneEnd = (portSlot: number, addressSlot: number): BpfInstruction[] => {
    const toNextEnd = address.length * 2 + 1
    return [
      op(LD_MEM, portSlot),
      op(JEQ_K, port, 0, toNextEnd),
      ...address.flatMap((word, index) => [
        op(LD_MEM, addressSlot + index),
        op(JEQ_K, word, 0, toNextEnd - 2 * (index + 1)),
      ]),
      refuse,
    ]
  }
  return [...oneEnd(SOURCE_PORT, SOURCE_ADDRESS), ...oneEnd(DESTINATION_PORT, DESTINATION_ADDRESS)]
}
