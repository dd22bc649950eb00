/**
 * Recognises the protocol of a flow by the first bytes of a stream, so that protocols other than HTTP/1 cost little.
 */

/** Results of `sniff`. What is SNIFF_OTHER may be HTTP/1. */
export const SNIFF_OTHER: u32 = 0
export const SNIFF_TLS: u32 = 1
export const SNIFF_HTTP2: u32 = 2

/** First four bytes of HTTP/2's connection preface, "PRI " (RFC 9113 §3.4), little-endian. */
const HTTP2_PREFACE: u32 = 0x20495250
/** Content types of TLS records: change_cipher_spec, alert, handshake, application_data (RFC 8446 §5.1). */
const TLS_FIRST: u8 = 20
const TLS_LAST: u8 = 23

/** Names the protocol of a stream that begins, or continues at a segment, with [at, end). */
export function sniff(at: usize, end: usize): u32 {
  const first = load<u8>(at)
  if (first >= TLS_FIRST && first <= TLS_LAST && end - at >= 3 && load<u8>(at, 1) === 3 && load<u8>(at, 2) <= 4) {
    return SNIFF_TLS
  }
  if (end - at >= 6 && load<u32>(at) === HTTP2_PREFACE && load<u8>(at, 4) === 42) return SNIFF_HTTP2
  return SNIFF_OTHER
}
