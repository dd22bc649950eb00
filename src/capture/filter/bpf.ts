/**
 * Classic BPF (Documentation/networking/filter.rst): opcodes, and an assembler with labels. Conditional jumps reach 255
 * instructions; a longer one becomes a short jump over an unconditional one.
 */
import type { BpfInstruction } from '../../sys/packet.ts'

/** Opcodes: class | size | mode (linux/bpf_common.h). `IND` adds X to the offset. */
export const LD_W_ABS = 0x20
export const LD_W_IND = 0x40
export const LD_H_ABS = 0x28
export const LD_H_IND = 0x48
export const LD_B_IND = 0x50
export const LD_MEM = 0x60
export const LDX_IMM = 0x01
export const LDX_MEM = 0x61
export const ST = 0x02
export const STX = 0x03
export const ALU_ADD_K = 0x04
export const ALU_ADD_X = 0x0c
export const ALU_MUL_K = 0x24
export const ALU_AND_K = 0x54
export const ALU_LSH_K = 0x64
export const ALU_RSH_K = 0x74
export const ALU_XOR_K = 0xa4
export const ALU_XOR_X = 0xac
export const JEQ_K = 0x15
export const JGE_K = 0x35
export const JGT_K = 0x25
export const JSET_K = 0x45
export const RET_K = 0x06
export const TAX = 0x07
export const JA = 0x05

/** Ancillary data of the kernel (SKF_AD_OFF = -0x1000): loads at or above this offset do not read packet bytes. */
export const ANCILLARY = 0xfffff000
export const AD_PROTOCOL = ANCILLARY
export const AD_PACKET_TYPE = ANCILLARY + 4
export const AD_HARDWARE_TYPE = ANCILLARY + 28
export const AD_RANDOM = ANCILLARY + 56

/** The most instructions that the kernel accepts (BPF_MAXINSNS). */
export const MAX_INSTRUCTIONS = 4096

const FARTHEST = 255

/** A position in a program, identified by object identity. */
export type Label = { readonly label: string }

/** One line of a program. */
export type Line =
  | { readonly code: number; readonly k: number }
  | { readonly code: number; readonly k: number; readonly to: Label; readonly when: boolean }
  | { readonly goto: Label }
  | { readonly place: Label }

/** @param name for debugging */
export const label = (name: string): Label => ({ label: name })
/** An instruction that is no jump. @param k its operand */
export const op = (code: number, k = 0): Line => ({ code, k })
/** Jumps if the test holds, else continues. */
export const jumpIf = (code: number, k: number, to: Label): Line => ({ code, k, to, when: true })
/** Jumps if the test fails, else continues. */
export const jumpUnless = (code: number, k: number, to: Label): Line => ({ code, k, to, when: false })
/** Jumps always. */
export const jump = (to: Label): Line => ({ goto: to })
/** Marks the next instruction as the target of jumps to a label. */
export const place = (at: Label): Line => ({ place: at })

/** Rejects the packet. */
export const reject: Line = op(RET_K, 0)

/**
 * @param lines every label used must be placed behind its jumps: classic BPF has no loops
 * @throws RangeError for a label that is not placed, or placed before a jump to it
 */
export function assembleBpf(lines: readonly Line[]): BpfInstruction[] {
  // A longer jump moves the instructions after it, which may lengthen other jumps: repeat until nothing changes.
  let long: ReadonlySet<Line> = new Set()
  for (;;) {
    const places = layOut(lines, long)
    const longer = tooFar(lines, places, long)
    if (longer.length === 0) return lines.flatMap(encoder(places, long))
    long = new Set([...long, ...longer])
  }
}

/** The short jumps that do not reach their labels. */
function tooFar(lines: readonly Line[], places: ReadonlyMap<Label, number>, long: ReadonlySet<Line>): Line[] {
  let at = 0
  return lines.filter((line) => {
    at += sizeOf(line, long)
    return 'to' in line && !long.has(line) && distance(places, line.to, at) > FARTHEST
  })
}

function layOut(lines: readonly Line[], long: ReadonlySet<Line>): Map<Label, number> {
  const places = new Map<Label, number>()
  let at = 0
  for (const line of lines) {
    if ('place' in line) places.set(line.place, at)
    at += sizeOf(line, long)
  }
  return places
}

function sizeOf(line: Line, long: ReadonlySet<Line>): number {
  if ('place' in line) return 0
  return long.has(line) ? 2 : 1
}

function distance(places: ReadonlyMap<Label, number>, to: Label, from: number): number {
  const target = places.get(to)
  if (target === undefined || target < from) throw new RangeError(`no ${to.label} ahead of instruction ${from}`)
  return target - from
}

function encoder(places: ReadonlyMap<Label, number>, long: ReadonlySet<Line>): (line: Line) => BpfInstruction[] {
  let at = 0
  return (line) => {
    const from = at + sizeOf(line, long)
    at = from
    if ('place' in line) return []
    if ('goto' in line) return [{ code: JA, jt: 0, jf: 0, k: distance(places, line.goto, from) }]
    const { code, k } = line
    if (!('to' in line)) return [{ code, jt: 0, jf: 0, k }]
    const far = distance(places, line.to, from)
    if (!long.has(line)) return [{ code, jt: line.when ? far : 0, jf: line.when ? 0 : far, k }]
    const skip: BpfInstruction = { code, jt: line.when ? 0 : 1, jf: line.when ? 1 : 0, k }
    return [skip, { code: JA, jt: 0, jf: 0, k: far }]
  }
}
