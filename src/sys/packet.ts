/**
 * packet(7) and its memory-mapped ring (Documentation/networking/packet_mmap.rst, include/uapi/linux/if_packet.h):
 * constants, and encoders of structures. Host byte order is little-endian, network fields are big-endian.
 */

export const AF_PACKET = 17
export const AF_INET = 2
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_CLOEXEC = 0o2000000
/** Every protocol, both directions. With a narrower one the kernel never delivers outgoing packets. */
export const ETH_P_ALL = 0x0003

export const SOL_SOCKET = 1
export const SO_ERROR = 4
export const SO_ATTACH_FILTER = 26

export const SOL_PACKET = 263
export const PACKET_ADD_MEMBERSHIP = 1
export const PACKET_RX_RING = 5
export const PACKET_STATISTICS = 6
export const PACKET_VERSION = 10
export const PACKET_IGNORE_OUTGOING = 23
export const PACKET_MR_PROMISC = 1
/** `enum tpacket_versions`: TPACKET_V3. */
export const TPACKET_V3 = 2

export const POLLIN = 0x1
export const POLLERR = 0x8

/** Values of sll_pkttype. */
export const PACKET_OUTGOING = 4

/** ARPHRD_ values (include/uapi/linux/if_arp.h). */
export const ARPHRD_ETHER = 1
export const ARPHRD_LOOPBACK = 772

/** Block status words. */
export const TP_STATUS_KERNEL = 0
export const TP_STATUS_USER = 1
/** Bit of a packet's status word. */
export const TP_STATUS_VLAN_VALID = 0x10

/** Offsets in `struct tpacket_block_desc`: version, offset_to_priv, then `tpacket_hdr_v1`. */
export const BLOCK_STATUS = 8
export const BLOCK_PACKETS = 12
export const BLOCK_FIRST_PACKET = 16
/** Bytes used of the block. */
export const BLOCK_LENGTH = 20
/** u64, counted from 1, assigned when the kernel begins to fill the block. */
export const BLOCK_NUMBER = 24

/** Offsets in `struct tpacket3_hdr`. */
export const PACKET_NEXT = 0
export const PACKET_SECONDS = 4
export const PACKET_NANOSECONDS = 8
export const PACKET_CAPTURED = 12
export const PACKET_LENGTH = 16
export const PACKET_STATUS = 20
export const PACKET_MAC = 24
/** Control information of the VLAN tag that the kernel removed; only with TP_STATUS_VLAN_VALID. */
export const PACKET_VLAN = 32

/** `struct sockaddr_ll` for bind. @param interfaceIndex 0 for every interface */
export function encodeSockaddrLl(protocol: number, interfaceIndex: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(20))
  view.setUint16(0, AF_PACKET, true)
  view.setUint16(2, protocol)
  view.setInt32(4, interfaceIndex, true)
  return new Uint8Array(view.buffer)
}

/** The interface index in a `struct sockaddr_ll`; -1 in a socket's own address once its interface was deleted. */
export const interfaceIndexOf = (address: Uint8Array): number =>
  new DataView(address.buffer, address.byteOffset).getInt32(4, true)

/**
 * `struct tpacket_req3`.
 *
 * @param retireMs time after which the kernel retires a block with frames that is not full
 */
export function encodeTpacketReq3(blockBytes: number, blockCount: number, retireMs: number): Uint8Array {
  // V3 packs frames of any size; the frame size only has to divide the block.
  const frameBytes = 2048
  const fields = [blockBytes, blockCount, frameBytes, (blockBytes / frameBytes) * blockCount, retireMs, 0, 0]
  return new Uint8Array(Uint32Array.from(fields).buffer)
}

/** `struct packet_mreq` that requests promiscuous mode. */
export function encodePromiscuous(interfaceIndex: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setInt32(0, interfaceIndex, true)
  view.setUint16(4, PACKET_MR_PROMISC, true)
  return new Uint8Array(view.buffer)
}

/** One instruction of classic BPF (linux/filter.h `struct sock_filter`). */
export interface BpfInstruction {
  readonly code: number
  readonly jt: number
  readonly jf: number
  readonly k: number
}

/** `struct sock_filter[]`, 8 bytes per instruction. */
export function encodeInstructions(program: readonly BpfInstruction[]): Buffer {
  // Not from Buffer's pool, because the kernel receives its address.
  const bytes = Buffer.alloc(program.length * 8)
  program.forEach(({ code, jt, jf, k }, index) => {
    bytes.writeUInt16LE(code, index * 8)
    bytes.writeUInt8(jt, index * 8 + 2)
    bytes.writeUInt8(jf, index * 8 + 3)
    bytes.writeUInt32LE(k >>> 0, index * 8 + 4)
  })
  return bytes
}

/** The reverse of `encodeInstructions`. */
export function decodeInstructions(bytes: Uint8Array): BpfInstruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: bytes.byteLength / 8 }, (_, index) => ({
    code: view.getUint16(index * 8, true),
    jt: view.getUint8(index * 8 + 2),
    jf: view.getUint8(index * 8 + 3),
    k: view.getUint32(index * 8 + 4, true),
  }))
}

/** `struct sock_fprog` (64-bit): a length and a pointer. */
export function encodeProgram(instructionCount: number, address: bigint): Uint8Array {
  const view = new DataView(new ArrayBuffer(16))
  view.setUint16(0, instructionCount, true)
  view.setBigUint64(8, address, true)
  return new Uint8Array(view.buffer)
}
