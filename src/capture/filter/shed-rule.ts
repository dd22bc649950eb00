/**
 * A kernel filter that sheds connections: of the packets that the usual filter accepts it keeps those whose flow hash
 * is below a threshold, so that under lasting overload shed connections cost this process nothing. The hash is the
 * intake's (intake/flow-hash.ts), computed in classic BPF, so what the kernel keeps always includes what the intake
 * keeps.
 *
 * Packets whose connection the program cannot determine pass: fragments, tunnels, IPv6 extension headers.
 */
import { PROTOCOL_TCP } from '../../net/ip-protocols.ts'
import type { BpfInstruction } from '../../sys/packet.ts'
import {
  AD_RANDOM,
  ALU_ADD_K,
  ALU_ADD_X,
  ALU_AND_K,
  ALU_MUL_K,
  ALU_RSH_K,
  ALU_XOR_K,
  ALU_XOR_X,
  assembleBpf,
  JA,
  JEQ_K,
  JGE_K,
  JSET_K,
  jumpIf,
  jumpUnless,
  type Label,
  LD_B_IND,
  LD_H_IND,
  LD_MEM,
  LD_W_ABS,
  LD_W_IND,
  LDX_MEM,
  type Line,
  label,
  MAX_INSTRUCTIONS,
  op,
  place,
  RET_K,
  reject,
  ST,
  STX,
  TAX,
} from './bpf.ts'
import {
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  type FilterView,
  findCookedPacket,
  findPacket,
  IPV6_HEADER_BYTES,
  pastIpv4Header,
} from './kernel-filter.ts'

/** One in so many shed packets passes, cut to SHED_SAMPLE_BYTES, so that their number can be estimated. */
export const SHED_SAMPLE_RATE = 256
/** No other packet is cut to this length. */
export const SHED_SAMPLE_BYTES = 1

const MORE_FRAGMENTS_OR_OFFSET = 0x3fff

// Scratch memory.
const OFFSET = 0
const FIRST = 1
const SECOND = 2

/**
 * @param program the usual filter, whose accepting instructions all return the same length
 * @param keep connections are kept whose hash has lower 16 bits below this, 1 to 65,535
 * @param secret int32, of the flow hash
 * @returns null when the filter would be longer than the kernel accepts
 */
export function addShedRule(
  program: readonly BpfInstruction[],
  view: FilterView,
  keep: number,
  secret: number,
): BpfInstruction[] | null {
  const accepts = ({ code, k }: BpfInstruction): boolean => code === RET_K && k !== 0
  const snapLength = program.find(accepts)?.k ?? 0
  const rule = assembleBpf(shedRule(view, keep, secret >>> 0, snapLength))
  const last = program.length - 1
  const onward = program.map((line, at) => (accepts(line) ? { code: JA, jt: 0, jf: 0, k: last - at } : line))
  return onward.length + rule.length > MAX_INSTRUCTIONS ? null : [...onward, ...rule]
}

function shedRule(view: FilterView, keep: number, secret: number, snapLength: number): Line[] {
  const [ipv4, ipv6, kept] = [label('IPv4'), label('IPv6'), label('kept')]
  const keepOrShed = [op(ALU_AND_K, 0xffff), jumpUnless(JGE_K, keep, kept), ...shed()]
  const accept = op(RET_K, snapLength)
  return [
    ...(view === 'ethernet' ? findPacket() : findCookedPacket(kept)),
    jumpIf(JEQ_K, ETHERTYPE_IPV4, ipv4),
    jumpIf(JEQ_K, ETHERTYPE_IPV6, ipv6),
    accept,
    place(ipv4),
    ...hashIpv4(secret, kept),
    ...keepOrShed,
    place(ipv6),
    ...hashIpv6(secret, kept),
    ...keepOrShed,
    place(kept),
    accept,
  ]
}

function shed(): Line[] {
  const uncounted = label('not in the sample')
  return [
    op(LD_W_ABS, AD_RANDOM),
    op(ALU_AND_K, SHED_SAMPLE_RATE - 1),
    jumpUnless(JEQ_K, 0, uncounted),
    op(RET_K, SHED_SAMPLE_BYTES),
    place(uncounted),
    reject,
  ]
}

/** Leaves the hash in A. X holds the packet's offset. */
function hashIpv4(secret: number, kept: Label): Line[] {
  return [
    op(LD_B_IND, 9),
    jumpUnless(JEQ_K, PROTOCOL_TCP, kept),
    op(LD_H_IND, 6),
    jumpIf(JSET_K, MORE_FRAGMENTS_OR_OFFSET, kept),
    op(STX, OFFSET),
    ...mixAddress([12], secret, FIRST),
    ...mixAddress([16], secret, SECOND),
    op(LDX_MEM, OFFSET),
    ...pastIpv4Header(),
    op(STX, OFFSET),
    ...mixPortsAndSum(0, secret),
  ]
}

function hashIpv6(secret: number, kept: Label): Line[] {
  return [
    op(LD_B_IND, 6),
    jumpUnless(JEQ_K, PROTOCOL_TCP, kept),
    op(STX, OFFSET),
    ...mixAddress([8, 12, 16, 20], secret, FIRST),
    ...mixAddress([24, 28, 32, 36], secret, SECOND),
    ...mixPortsAndSum(IPV6_HEADER_BYTES, secret),
  ]
}

/** Mixes the words of an address, given by their offsets in the packet, into a scratch word. */
function mixAddress([first, ...others]: readonly number[], secret: number, slot: number): Line[] {
  return [
    op(LDX_MEM, OFFSET),
    op(LD_W_IND, first),
    op(ALU_XOR_K, secret),
    ...mix(),
    op(ST, slot),
    ...others.flatMap((offset) => [
      ...[op(LDX_MEM, OFFSET), op(LD_W_IND, offset), op(LDX_MEM, slot), op(ALU_XOR_X)],
      ...mix(),
      op(ST, slot),
    ]),
  ]
}

/** @param ports offset of the TCP header from OFFSET */
function mixPortsAndSum(ports: number, secret: number): Line[] {
  const mixPort = (at: number, slot: number): Line[] => [
    ...[op(LDX_MEM, OFFSET), op(LD_H_IND, at), op(ALU_ADD_K, 1), op(ALU_MUL_K, 0x9e3779b1)],
    ...[op(LDX_MEM, slot), op(ALU_XOR_X)],
    ...mix(),
    op(ST, slot),
  ]
  return [
    ...mixPort(ports, FIRST),
    ...mixPort(ports + 2, SECOND),
    ...[op(LD_MEM, SECOND), op(LDX_MEM, FIRST), op(ALU_ADD_X), op(ALU_XOR_K, secret)],
    ...mix(),
  ]
}

/** A = mix(A), as in intake/flow-hash.ts. Overwrites X. */
const mix = (): Line[] => [
  ...xorShifted(16),
  op(ALU_MUL_K, 0x85ebca6b),
  ...xorShifted(13),
  op(ALU_MUL_K, 0xc2b2ae35),
  ...xorShifted(16),
]

/** A ^= A >>> bits. */
const xorShifted = (bits: number): Line[] => [op(TAX), op(ALU_RSH_K, bits), op(ALU_XOR_X)]
