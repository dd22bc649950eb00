/**
 * Undoes the address translation of a sidecar's replies, so that both directions form one connection.
 *
 * iptables (REDIRECT) sends an application's outgoing connections to the proxy's port on the loopback interface. The
 * proxy's replies appear there already translated: their source is the address that the application connected to.
 * Requests and replies therefore have different endpoints. This class restores the proxy's endpoint as the source of
 * replies.
 *
 * A reply is changed only if its destination port has sent to the proxy before. Otherwise, where the proxy is
 * transparent for inbound connections (TPROXY), segments of remote clients on loopback would be changed, which are not
 * replies.
 *
 * Thread: the capture worker's. No allocation per frame.
 */
import { PROTOCOL_TCP } from '../../net/ip-protocols.ts'

const ETHERNET_BYTES = 14
const IPV6_BYTES = 40
/** Bytes of a TCP header that are read: up to its flags. */
const TCP_BYTES = 14
const SYN_OR_ACK = 0x12
const SYN = 0x02
/** Bytes of `LentSocket.redirected`: one bit for each port. */
export const REDIRECTED_BYTES = 65_536 / 8
const LOOPBACK_NETWORK = 127
const LOOPBACK4 = 0x7f000001

export class RedirectedReplies {
  readonly #proxyPort: Int32Array
  /** One bit per local port: whether its latest connection goes to the proxy. */
  readonly #redirected: Uint8Array

  /**
   * @param proxyPort shared, one word: the proxy's current port; 0: there is no proxy
   * @param redirected REDIRECTED_BYTES; they outlive this object, for the interface's next ring or worker
   */
  constructor(proxyPort: Int32Array, redirected: Uint8Array) {
    this.#proxyPort = proxyPort
    this.#redirected = redirected
  }

  /** Processes a frame of the loopback interface, in capture order, and changes a redirected reply in place. */
  frame(view: DataView, start: number, end: number): void {
    const port = this.#proxyPort[0]
    const ip = start + ETHERNET_BYTES
    if (port === 0 || ip + IPV6_BYTES > end) return
    const first = view.getUint8(ip)
    const isIpv4 = first >>> 4 === 4
    const tcp = ip + (isIpv4 ? (first & 0xf) * 4 : IPV6_BYTES)
    if (view.getUint8(ip + (isIpv4 ? 9 : 6)) !== PROTOCOL_TCP || tcp + TCP_BYTES > end) return
    const target = view.getUint16(tcp + 2)
    if (isLoopback(view, ip, isIpv4, isIpv4 ? 16 : 24)) {
      if (target === port) this.#mark(view.getUint16(tcp), true)
      return
    }
    if ((view.getUint8(tcp + 13) & SYN_OR_ACK) === SYN) this.#mark(view.getUint16(tcp), false)
    if (!this.#isMarked(target) || isLoopback(view, ip, isIpv4, isIpv4 ? 12 : 8)) return
    if (isIpv4) view.setInt32(ip + 12, LOOPBACK4)
    else for (let word = 0; word < 4; word++) view.setInt32(ip + 8 + word * 4, word === 3 ? 1 : 0)
    view.setUint16(tcp, port)
  }

  #mark(port: number, redirected: boolean): void {
    const bit = 1 << (port & 7)
    if (redirected) this.#redirected[port >> 3] |= bit
    else this.#redirected[port >> 3] &= ~bit
  }

  #isMarked(port: number): boolean {
    return (this.#redirected[port >> 3] & (1 << (port & 7))) !== 0
  }
}

/** @param at offset of the address in the IP header */
function isLoopback(view: DataView, ip: number, isIpv4: boolean, at: number): boolean {
  if (isIpv4) return view.getUint8(ip + at) === LOOPBACK_NETWORK
  for (let word = 0; word < 4; word++) if (view.getInt32(ip + at + word * 4) !== (word === 3 ? 1 : 0)) return false
  return true
}
