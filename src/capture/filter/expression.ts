/** Compiles the user's BPF expression for a socket's filter or for the frames of a capture file. */
import { usageError } from '../../errors.ts'
import type { BpfInstruction } from '../../sys/packet.ts'
import {
  compileExpression,
  compileForInterface,
  DLT_EN10MB,
  DLT_LINUX_SLL,
  DLT_RAW,
  ExpressionError,
  LibpcapMissing,
} from '../../sys/pcap-compile.ts'
import { AD_HARDWARE_TYPE, AD_PACKET_TYPE, AD_PROTOCOL, ANCILLARY, LD_W_ABS } from './bpf.ts'
import { loadsAncillary } from './bpf-program.ts'

/**
 * The input of a packet socket's filter: Ethernet frames; bare packets of an interface without a link layer; or, with
 * all interfaces at once, bare packets with the kernel's ancillary data.
 */
export type SocketView = 'ethernet' | 'packet' | 'any'

/**
 * Fields of the Linux cooked header that libpcap's programs load, and their ancillary data in a cooked socket's filter.
 */
const COOKED_FIELDS = new Map([
  [0, AD_PACKET_TYPE],
  [2, AD_HARDWARE_TYPE],
  [14, AD_PROTOCOL],
])
const COOKED_HEADER_BYTES = 16

/**
 * Compiles the expression for a packet socket, as tcpdump does for the same interface.
 *
 * @param device an interface of the calling thread's network namespace
 * @throws InterceptorError (EXIT_USAGE): libpcap is missing, or rejects the expression
 */
export function compileForSocket(
  expression: string,
  view: SocketView,
  device: string,
  snapLength: number,
): readonly BpfInstruction[] {
  return explained(expression, () => {
    switch (view) {
      case 'packet':
        return compileExpression(expression, DLT_RAW, snapLength)
      case 'any':
        return forCookedSocket(compileExpression(expression, DLT_LINUX_SLL, snapLength))
      case 'ethernet':
        // Any other expression compiles to the same program without the cost of a live handle.
        if (/\bvlan\b/.test(expression)) return compileForInterface(expression, device, snapLength)
        return compileExpression(expression, DLT_EN10MB, snapLength)
    }
  })
}

/**
 * Compiles the expression for Ethernet frames with all headers in their bytes.
 *
 * @throws InterceptorError as `compileForSocket`
 */
export const compileForEthernet = (expression: string): readonly BpfInstruction[] =>
  explained(expression, () => compileExpression(expression, DLT_EN10MB, MAX_SNAP_LENGTH))

/**
 * Compiles the expression for frames of a capture file.
 *
 * @param linkType a DLT_ value; @param name of the link type, for the message
 * @throws InterceptorError as `compileForSocket`, and if the expression needs data that a file does not have
 */
export function compileForFile(expression: string, linkType: number, name: string): readonly BpfInstruction[] {
  const program = explained(expression, () => compileExpression(expression, linkType, MAX_SNAP_LENGTH), name)
  if (!loadsAncillary(program)) return program
  throw usageError(`the filter expression "${expression}" cannot be applied to a capture file of link type ${name}`, {
    hint: 'Such files do not record which packets were inbound and which outbound.',
  })
}

/** The program's result for accepted packets, of which only whether it is 0 matters. */
const MAX_SNAP_LENGTH = 262_144

/** Rewrites a program for the Linux cooked header for a socket whose packets come without it. */
function forCookedSocket(program: readonly BpfInstruction[]): BpfInstruction[] {
  return program.map((instruction) => {
    const { code, k } = instruction
    const mode = code & 0xe0
    const loadsPacket = (code & 7) <= 1 && (mode === 0x20 || mode === 0x40 || mode === 0xa0)
    if (!loadsPacket || k >= ANCILLARY) return instruction
    if (k >= COOKED_HEADER_BYTES) return { ...instruction, k: k - COOKED_HEADER_BYTES }
    const field = COOKED_FIELDS.get(k)
    if (field === undefined || mode !== 0x20) {
      throw new ExpressionError('link-layer addresses are not available on all interfaces at once')
    }
    return { ...instruction, code: LD_W_ABS, k: field }
  })
}

function explained<T>(expression: string, compile: () => T, linkType?: string): T {
  try {
    return compile()
  } catch (error) {
    if (error instanceof LibpcapMissing) {
      throw usageError(`a filter expression needs libpcap, which is not installed: ${expression}`, {
        hint: 'Install it (Debian: libpcap0.8, Fedora: libpcap, Alpine: libpcap), or leave the expression out.',
        cause: error,
      })
    }
    if (error instanceof ExpressionError) {
      const where = linkType === undefined ? '' : ` for link type ${linkType}`
      throw usageError(`bad filter expression "${expression}"${where}: ${error.message}`, {
        hint: 'Filters are written as for tcpdump: man 7 pcap-filter.',
        cause: error,
      })
    }
    throw error
  }
}
