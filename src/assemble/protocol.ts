/**
 * Recognises the protocol of a flow by the first bytes of a stream, so that protocols other than HTTP/1 cost little.
 */
import type { Arena } from './memory/arena.ts'

export const SNIFF_OTHER = 0
export const SNIFF_TLS = 1
export const SNIFF_HTTP2 = 2

/** First four bytes of HTTP/2's connection preface, "PRI " (RFC 9113 §3.4), little-endian. */
const HTTP2_PREFACE = 0x20495250
/** Content types of TLS records: change_cipher_spec, alert, handshake, application_data (RFC 8446 §5.1). */
const TLS_FIRST = 20
const TLS_LAST = 23

/** Names the protocol of a stream that begins, or continues at a segment, with [at, end). */
export function sniff(arena: Arena, at: number, end: number): number {
  const bytes = arena.bytes
  const first = bytes[at]
  if (first >= TLS_FIRST && first <= TLS_LAST && end - at >= 3 && bytes[at + 1] === 3 && bytes[at + 2] <= 4)
    return SNIFF_TLS
  if (end - at >= 6 && arena.view.getInt32(at, true) === HTTP2_PREFACE && bytes[at + 4] === 42) return SNIFF_HTTP2
  return SNIFF_OTHER
}

/** First bytes of the PROXY protocol's headers, version 1 ("PROXY ") and 2 (haproxy's proxy-protocol.txt, §2). */
const PROXY_V1 = new TextEncoder().encode('PROXY ')
const PROXY_V2 = Uint8Array.of(13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10)
const PROXY_V1_BYTES = 107
const PROXY_V2_HEADER_BYTES = 16

/**
 * Length of the PROXY protocol header that load balancers put in front of a client's bytes.
 *
 * @returns 0 when there is none, or it does not end within these bytes
 */
export function proxyHeaderBytes(arena: Arena, at: number, end: number): number {
  const bytes = arena.bytes
  if (startsWith(bytes, at, end, PROXY_V1)) {
    const lf = bytes.indexOf(10, at)
    return lf >= 0 && lf < Math.min(end, at + PROXY_V1_BYTES) ? lf + 1 - at : 0
  }
  if (end - at < PROXY_V2_HEADER_BYTES || !startsWith(bytes, at, end, PROXY_V2)) return 0
  const length = PROXY_V2_HEADER_BYTES + arena.view.getUint16(at + 14)
  return length <= end - at ? length : 0
}

function startsWith(bytes: Uint8Array, at: number, end: number, prefix: Uint8Array): boolean {
  if (end - at < prefix.length) return false
  for (let i = 0; i < prefix.length; i++) if (bytes[at + i] !== prefix[i]) return false
  return true
}
