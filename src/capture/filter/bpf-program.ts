/**
 * Runs a classic BPF program over packet bytes, with the semantics of libpcap's bpf_filter(3): 32-bit unsigned
 * arithmetic; a load beyond the captured bytes, or a division by zero, rejects the packet.
 *
 * No allocation per packet.
 */
import type { BpfInstruction } from '../../sys/packet.ts'
import { ANCILLARY } from './bpf.ts'

const SCRATCH_WORDS = 16

/** Instruction classes. */
const LD = 0
const LDX = 1
const ST = 2
const STX = 3
const ALU = 4
const JMP = 5
const RET = 6
/** Bit of ALU and JMP: the operand is X instead of k. */
const OPERAND_X = 0x08
/** RET of A instead of k. */
const RET_A = 0x10
/** MISC: X to A; the other one is A to X. */
const TXA = 0x87
const JA = 0x00

/** Loads ancillary data of the kernel. @param what its offset from ANCILLARY */
export type AncillaryData = (what: number) => number

export class BpfProgram {
  readonly #codes: Uint16Array
  readonly #jumpsTrue: Uint8Array
  readonly #jumpsFalse: Uint8Array
  readonly #operands: Uint32Array
  readonly #scratch = new Uint32Array(SCRATCH_WORDS)
  readonly #ancillary: AncillaryData | null
  /** A load was beyond the packet. */
  #beyond = false

  /** @param ancillary null: loads of ancillary data reject the packet */
  constructor(program: readonly BpfInstruction[], ancillary: AncillaryData | null = null) {
    this.#codes = Uint16Array.from(program, ({ code }) => code)
    this.#jumpsTrue = Uint8Array.from(program, ({ jt }) => jt)
    this.#jumpsFalse = Uint8Array.from(program, ({ jf }) => jf)
    this.#operands = Uint32Array.from(program, ({ k }) => k)
    this.#ancillary = ancillary
  }

  /**
   * @param start first byte of the link-layer header; @param end one past the last captured byte
   * @param wireLength length that the packet had on the wire
   * @returns bytes to keep; 0 rejects the packet
   */
  run(view: DataView, start: number, end: number, wireLength: number): number {
    const codes = this.#codes
    const operands = this.#operands
    this.#beyond = false
    let a = 0
    let x = 0
    for (let pc = 0; pc < codes.length; pc++) {
      const code = codes[pc]
      const k = operands[pc]
      switch (code & 7) {
        case LD:
          a = this.#load(code, k, x, view, start, end, wireLength)
          if (this.#beyond) return 0
          break
        case LDX:
          x = this.#load(code, k, x, view, start, end, wireLength)
          if (this.#beyond) return 0
          break
        case ST:
          this.#scratch[k & (SCRATCH_WORDS - 1)] = a
          break
        case STX:
          this.#scratch[k & (SCRATCH_WORDS - 1)] = x
          break
        case ALU: {
          const operand = (code & OPERAND_X) === 0 ? k : x
          if (operand === 0 && divides(code)) return 0
          a = compute(code, a, operand)
          break
        }
        case JMP:
          if ((code & 0xf0) === JA) pc += k
          else pc += holds(code, a, (code & OPERAND_X) === 0 ? k : x) ? this.#jumpsTrue[pc] : this.#jumpsFalse[pc]
          break
        case RET:
          return (code & 0x18) === RET_A ? a : k
        default:
          if (code === TXA) a = x
          else x = a
      }
    }
    return 0
  }

  #load(code: number, k: number, x: number, view: DataView, start: number, end: number, wireLength: number): number {
    switch (code & 0xe0) {
      case 0x00: // IMM
        return k
      case 0x20: // ABS
        if (k >= ANCILLARY) return this.#ancillaryLoad(k - ANCILLARY)
        return this.#bytes(code, k, view, start, end)
      case 0x40: // IND
        return this.#bytes(code, k + x, view, start, end)
      case 0x60: // MEM
        return this.#scratch[k & (SCRATCH_WORDS - 1)]
      case 0x80: // LEN
        return wireLength
      default: // MSH: the length of the IPv4 header there
        return (this.#byte(k, view, start, end) & 0xf) << 2
    }
  }

  #ancillaryLoad(what: number): number {
    if (this.#ancillary !== null) return this.#ancillary(what) >>> 0
    this.#beyond = true
    return 0
  }

  /** @param offset may pass 2^32, and is then beyond every packet */
  #bytes(code: number, offset: number, view: DataView, start: number, end: number): number {
    const size = code & 0x18
    if (size === 0x10) return this.#byte(offset, view, start, end)
    const at = start + offset
    if (at + (size === 0 ? 4 : 2) > end) {
      this.#beyond = true
      return 0
    }
    return size === 0 ? view.getUint32(at) : view.getUint16(at)
  }

  #byte(offset: number, view: DataView, start: number, end: number): number {
    const at = start + offset
    if (at < end) return view.getUint8(at)
    this.#beyond = true
    return 0
  }
}

/** Whether the program loads ancillary data, which only a kernel has: the packet's direction, or a removed VLAN tag. */
export const loadsAncillary = (program: readonly BpfInstruction[]): boolean =>
  program.some(({ code, k }) => (code & 7) <= LDX && (code & 0xe0) === 0x20 && k >>> 0 >= ANCILLARY)

const divides = (code: number): boolean => (code & 0xf0) === 0x30 || (code & 0xf0) === 0x90

function compute(code: number, a: number, operand: number): number {
  switch (code & 0xf0) {
    case 0x00:
      return (a + operand) >>> 0
    case 0x10:
      return (a - operand) >>> 0
    case 0x20:
      return Math.imul(a, operand) >>> 0
    case 0x30:
      return Math.floor(a / operand)
    case 0x40:
      return (a | operand) >>> 0
    case 0x50:
      return (a & operand) >>> 0
    case 0x60:
      return operand < 32 ? (a << operand) >>> 0 : 0
    case 0x70:
      return operand < 32 ? a >>> operand : 0
    case 0x80:
      return -a >>> 0
    case 0x90:
      return a % operand
    default:
      return (a ^ operand) >>> 0
  }
}

function holds(code: number, a: number, operand: number): boolean {
  switch (code & 0xf0) {
    case 0x10:
      return a === operand
    case 0x20:
      return a > operand
    case 0x30:
      return a >= operand
    default:
      return (a & operand) !== 0
  }
}
