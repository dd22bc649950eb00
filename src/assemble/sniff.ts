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
