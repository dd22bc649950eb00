/** The user's BPF expression, compiled for what a socket's filter sees. */
import { usageError } from '../../errors.ts'
import type { BpfInstruction } from '../../sys/packet.ts'
import { compileExpression, DLT_EN10MB, DLT_RAW, ExpressionError, LibpcapMissing } from '../../sys/pcap-compile.ts'

/**
 * @param cooked without a link layer: expressions about it (`ether host`, `vlan`) are refused
 * @throws InterceptorError usage: libpcap is missing, or refuses the expression
 */
export function compileFilter(expression: string, cooked: boolean, snapLength: number): readonly BpfInstruction[] {
  try {
    return compileExpression(expression, cooked ? DLT_RAW : DLT_EN10MB, snapLength)
  } catch (error) {
    if (error instanceof LibpcapMissing) {
      throw usageError(`a filter expression needs libpcap, which is not installed: ${expression}`, {
        hint: 'install it (Debian: libpcap0.8, Fedora: libpcap, Alpine: libpcap), or leave the expression out',
        cause: error,
      })
    }
    if (error instanceof ExpressionError) {
      throw usageError(`bad filter expression "${expression}": ${error.message}`, {
        hint: 'the language is that of tcpdump: man 7 pcap-filter',
        cause: error,
      })
    }
    throw error
  }
}
