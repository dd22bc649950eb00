/** Runs kernel filters without a kernel, with the packet metadata that it would provide. */
import { BpfProgram } from '../../src/capture/filter/bpf-program.ts'
import type { BpfInstruction } from '../../src/sys/packet.ts'

export interface BpfPacket {
  /** The filter's input, from offset 0. */
  data: Uint8Array
  /** skb->protocol, host byte order. */
  protocol?: number
  /** skb->pkt_type. */
  packetType?: number
  /** Device type, ARPHRD_. */
  hardwareType?: number
  /** VLAN tag that the kernel has removed from the bytes. */
  vlan?: number
  /** The kernel's random number. */
  random?: number
}

/** @returns bytes to keep, 0: rejected */
export function runBpf(program: readonly BpfInstruction[], packet: BpfPacket): number {
  const { data } = packet
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return new BpfProgram(program, (what) => noteOf(packet, what)).run(view, 0, data.length, data.length)
}

function noteOf(packet: BpfPacket, what: number): number {
  switch (what) {
    case 0:
      return packet.protocol ?? 0
    case 4:
      return packet.packetType ?? 0
    case 28:
      return packet.hardwareType ?? 1
    case 56:
      return packet.random ?? 0
    case 44:
      return packet.vlan ?? 0
    case 48:
      return packet.vlan === undefined ? 0 : 1
    default:
      throw new Error(`ancillary load ${what} is not known here`)
  }
}
