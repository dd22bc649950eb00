/**
 * A small interpreter of classic BPF (the BSD Packet Filter paper; Documentation/networking/filter.rst) for checking our
 * filters without a kernel. Knows the ancillary loads our filters use.
 */
import type { BpfInstruction } from '../../src/sys/packet.ts'

export interface BpfPacket {
  /** What the filter sees at offset 0. */
  data: Uint8Array
  /** skb->protocol, host byte order. */
  protocol?: number
  /** skb->pkt_type. */
  packetType?: number
  /** Device type, ARPHRD_. */
  hardwareType?: number
}

const AD_BASE = 0xfffff000

/** Runs a program. @returns bytes to keep, 0: refused. A load beyond the packet refuses it, as in the kernel. */
export function runBpf(program: readonly BpfInstruction[], packet: BpfPacket): number {
  const view = new DataView(packet.data.buffer, packet.data.byteOffset, packet.data.byteLength)
  const memory = new Uint32Array(16)
  let a = 0
  let x = 0
  for (let pc = 0; pc < program.length; pc++) {
    const { code, jt, jf, k } = program[pc]
    const kind = code & 0x07
    if (kind === 0x06) return code & 0x10 ? a : k
    if (kind === 0x05) {
      pc += code === 0x05 ? k : jumps(code, a, code & 0x08 ? x : k) ? jt : jf
    } else if (kind === 0x04) {
      a = compute(code, a, code & 0x08 ? x : k)
    } else if (kind === 0x07) {
      if (code === 0x87) a = x
      else x = a
    } else if (kind === 0x02) memory[k] = a
    else if (kind === 0x03) memory[k] = x
    else {
      const value = load(code, k, x, view, memory, packet)
      if (value === null) return 0
      if (kind === 0x00) a = value
      else x = value
    }
  }
  throw new Error('program runs off its end')
}

function load(
  code: number,
  k: number,
  x: number,
  view: DataView,
  memory: Uint32Array,
  packet: BpfPacket,
): number | null {
  const mode = code & 0xe0
  if (mode === 0x00) return k
  if (mode === 0x60) return memory[k]
  if (mode === 0x80) return view.byteLength
  if (mode === 0x20 && k >= AD_BASE) return ancillary(k - AD_BASE, packet)
  const size = [4, 2, 1][(code & 0x18) >> 3]
  const at = mode === 0x40 ? (x + k) >>> 0 : k
  if (at + size > view.byteLength) return null
  if (mode === 0xa0) return 4 * (view.getUint8(at) & 0xf)
  return size === 4 ? view.getUint32(at) : size === 2 ? view.getUint16(at) : view.getUint8(at)
}

function ancillary(what: number, packet: BpfPacket): number {
  if (what === 0) return packet.protocol ?? 0
  if (what === 4) return packet.packetType ?? 0
  if (what === 28) return packet.hardwareType ?? 1
  throw new Error(`ancillary load ${what} is not in this machine`)
}

function jumps(code: number, a: number, operand: number): boolean {
  const test = code & 0xf0
  if (test === 0x10) return a === operand >>> 0
  if (test === 0x20) return a > operand >>> 0
  if (test === 0x30) return a >= operand >>> 0
  return (a & operand) >>> 0 !== 0
}

function compute(code: number, a: number, operand: number): number {
  const operation = code & 0xf0
  if (operation === 0x00) return (a + operand) >>> 0
  if (operation === 0x10) return (a - operand) >>> 0
  if (operation === 0x40) return (a | operand) >>> 0
  if (operation === 0x50) return (a & operand) >>> 0
  if (operation === 0x60) return (a << operand) >>> 0
  if (operation === 0x70) return a >>> operand
  throw new Error(`operation ${operation} is not in this machine`)
}
