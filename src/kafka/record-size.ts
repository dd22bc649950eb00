/** How large the records of pairs can be, for `max.message.bytes`. */
import type { Config } from '../config/schema.ts'

const KIB = 1024
/** Names and labels of pods, addresses, CloudEvents headers, a batch's own header. */
const FIXED_BYTES = 64 * KIB
/** Most bytes of a pair for one on the wire. MessagePack: header fields of a letter or two, or not in ASCII. */
const MSGPACK_GROWTH = 2
/** JSON: a control character in a body is `\u0000`. Base64 is less. */
const JSON_GROWTH = 6
/** What decode-body.ts makes of one body, at most. */
const DECODED_BODY_BYTES = 8 * KIB * KIB

/**
 * The largest record batch that a pair within the limits can need, uncompressed.
 *
 * @returns bytes; a topic with this `max.message.bytes` refuses no pair for its size
 */
export function largestRecordBytes({ limits, ship }: Pick<Config, 'limits' | 'ship'>): number {
  const growth = ship.format === 'json' ? JSON_GROWTH : MSGPACK_GROWTH
  return FIXED_BYTES + growth * limits.pairBytes + (ship.decode ? 2 * DECODED_BODY_BYTES : 0)
}
