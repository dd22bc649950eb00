/**
 * Compiles BPF expressions (pcap-filter(7)) with the system's libpcap, which only configurations with an expression
 * need.
 */
import { ffi, type Library, viewMemory } from './ffi.ts'
import { type BpfInstruction, decodeInstructions } from './packet.ts'

/** DLT_ values of a filter's input (pcap-linktype(7)). */
export const DLT_EN10MB = 1
export const DLT_RAW = 12
export const DLT_LINUX_SLL = 113

const SONAMES = ['libpcap.so.0.8', 'libpcap.so.1', 'libpcap.so']
/** The netmask is unknown; only `ip broadcast` needs it. */
const PCAP_NETMASK_UNKNOWN = 0xffffffff
const PCAP_ERRBUF_SIZE = 256
/** The smallest buffer that libpcap accepts; nothing is read from it. */
const HANDLE_BUFFER_BYTES = 128 * 1024

/** libpcap is not installed. */
export class LibpcapMissing extends Error {
  constructor() {
    super(`libpcap is not installed (tried ${SONAMES.join(', ')})`)
    this.name = 'LibpcapMissing'
  }
}

/** libpcap rejects the expression or its interface; the message is libpcap's. */
export class ExpressionError extends Error {
  override name = 'ExpressionError'
}

interface Libpcap {
  create(device: string, error: Uint8Array): bigint | null
  setSnapLength(handle: bigint, bytes: number): number
  setBufferSize(handle: bigint, bytes: number): number
  activate(handle: bigint): number
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
    create: lib.func('pcap_create', 'void *', ['str', 'void *']),
    setSnapLength: lib.func('pcap_set_snaplen', 'int', ['void *', 'int']),
    setBufferSize: lib.func('pcap_set_buffer_size', 'int', ['void *', 'int']),
    activate: lib.func('pcap_activate', 'int', ['void *']),
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
      // Not installed under this name: try the next.
    }
  }
  throw new LibpcapMissing()
}

/** libpcap's version text, such as `libpcap version 1.10.3 (with TPACKET_V3)`. @throws LibpcapMissing */
export const libpcapVersion = (): string => libpcap().version()

/**
 * Compiles an expression for frames of a link type that include all headers. The program returns `snapLength` for
 * accepted packets and 0 for others.
 *
 * @param linkType a DLT_ value
 * @throws LibpcapMissing, ExpressionError
 */
export function compileExpression(expression: string, linkType: number, snapLength: number): BpfInstruction[] {
  const pcap = libpcap()
  const handle = pcap.openDead(linkType, snapLength)
  if (handle === null) throw new Error('pcap_open_dead: out of memory')
  try {
    return compile(pcap, handle, expression)
  } finally {
    pcap.close(handle)
  }
}

/**
 * As `compileExpression`, for an interface of the calling thread's network namespace. Only for an interface does
 * libpcap compile `vlan` for kernels, which remove tags from the bytes. Opens a capture temporarily, which needs
 * CAP_NET_RAW and some 50 ms.
 *
 * @throws LibpcapMissing, ExpressionError
 */
export function compileForInterface(expression: string, device: string, snapLength: number): BpfInstruction[] {
  const pcap = libpcap()
  const error = Buffer.alloc(PCAP_ERRBUF_SIZE)
  const handle = pcap.create(device, error)
  if (handle === null) throw new ExpressionError(error.toString('utf8', 0, error.indexOf(0)))
  try {
    pcap.setSnapLength(handle, snapLength)
    pcap.setBufferSize(handle, HANDLE_BUFFER_BYTES)
    if (pcap.activate(handle) < 0) throw new ExpressionError(pcap.errorText(handle))
    return compile(pcap, handle, expression)
  } finally {
    pcap.close(handle)
  }
}

function compile(pcap: Libpcap, handle: bigint, expression: string): BpfInstruction[] {
  const program = Buffer.alloc(16)
  if (pcap.compile(handle, program, expression, 1, PCAP_NETMASK_UNKNOWN) !== 0) {
    throw new ExpressionError(pcap.errorText(handle))
  }
  const instructions = new Uint8Array(viewMemory(program.readBigUInt64LE(8), program.readUInt32LE(0) * 8))
  const copy = decodeInstructions(instructions)
  pcap.freeCode(program)
  return copy
}
