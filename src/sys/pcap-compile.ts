/**
 * BPF expressions (pcap-filter(7)) compiled by the system's libpcap. It is an optional part of the host: only who writes
 * an expression needs it.
 */
import { ffi, type Library, viewMemory } from './ffi.ts'
import { type BpfInstruction, decodeInstructions } from './packet.ts'

/** DLT_ values of what a filter sees (pcap-linktype(7)). */
export const DLT_EN10MB = 1
export const DLT_RAW = 12

const SONAMES = ['libpcap.so.0.8', 'libpcap.so.1', 'libpcap.so']
/** No netmask is known; `ip broadcast` alone needs one. */
const PCAP_NETMASK_UNKNOWN = 0xffffffff

/** libpcap is not on this host. */
export class LibpcapMissing extends Error {
  constructor() {
    super(`libpcap is not installed (tried ${SONAMES.join(', ')})`)
    this.name = 'LibpcapMissing'
  }
}

/** libpcap refuses the expression; the message is its own. */
export class ExpressionError extends Error {
  override name = 'ExpressionError'
}

interface Libpcap {
  openDead(linkType: number, snapLength: number): bigint | null
  compile(handle: bigint, program: Uint8Array, expression: string, optimize: number, netmask: number): number
  freeCode(program: Uint8Array): void
  errorText(handle: bigint): string
  close(handle: bigint): void
  version(): string
}

let bound: Libpcap | undefined

function libpcap(): Libpcap {
  if (bound !== undefined) return bound
  const lib = loadLibrary()
  bound = {
    openDead: lib.func('pcap_open_dead', 'void *', ['int', 'int']),
    compile: lib.func('pcap_compile', 'int', ['void *', 'void *', 'str', 'int', 'uint32']),
    freeCode: lib.func('pcap_freecode', 'void', ['void *']),
    errorText: lib.func('pcap_geterr', 'str', ['void *']),
    close: lib.func('pcap_close', 'void', ['void *']),
    version: lib.func('pcap_lib_version', 'str', []),
  }
  return bound
}

function loadLibrary(): Library {
  for (const soname of SONAMES) {
    try {
      return ffi().load(soname)
    } catch {
      // Not under this name; the last one fails for all of them.
    }
  }
  throw new LibpcapMissing()
}

/** As libpcap says it, such as `libpcap version 1.10.3 (with TPACKET_V3)`. @throws LibpcapMissing */
export const libpcapVersion = (): string => libpcap().version()

/**
 * Compiles an expression. An accepted packet is answered with `snapLength`, a refused one with 0.
 *
 * @param linkType DLT_EN10MB or DLT_RAW
 * @throws LibpcapMissing, ExpressionError
 */
export function compileExpression(expression: string, linkType: number, snapLength: number): BpfInstruction[] {
  const pcap = libpcap()
  const handle = pcap.openDead(linkType, snapLength)
  if (handle === null) throw new Error('pcap_open_dead: out of memory')
  const program = Buffer.alloc(16)
  try {
    if (pcap.compile(handle, program, expression, 1, PCAP_NETMASK_UNKNOWN) !== 0) {
      throw new ExpressionError(pcap.errorText(handle))
    }
    const instructions = new Uint8Array(viewMemory(program.readBigUInt64LE(8), program.readUInt32LE(0) * 8))
    const copy = decodeInstructions(instructions)
    pcap.freeCode(program)
    return copy
  } finally {
    pcap.close(handle)
  }
}
