/** The largest record that a pair can become, for `max.message.bytes`. */
import type { Config } from '../config/schema.ts'

const KIB = 1024
/** Names and labels of pods, addresses, CloudEvents headers, a batch's own header. */
const FIXED_BYTES = 64 * KIB
/** Largest growth from the wire to MessagePack: for header fields of one or two letters, or not in ASCII. */
const MSGPACK_GROWTH = 2
/** Largest growth to JSON: a control character in a body becomes `\u0000`. Base64 grows less. */
const JSON_GROWTH = 6
/** Limit of a decoded body in decode-body.ts. */
const DECODED_BODY_BYTES = 8 * KIB * KIB

/**
 * The largest record batch that a pair within the limits can need, uncompressed.
 *
 * @returns bytes: a topic with this `max.message.bytes` refuses no pair for its size
 */
export function largestRecordBytes({ limits, ship }: Pick<Config, 'limits' | 'ship'>): number {
  const growth = ship.format === 'json' ? JSON_GROWTH : MSGPACK_GROWTH
  return FIXED_BYTES + growth * limits.pairBytes + (ship.decode ? 2 * DECODED_BODY_BYTES : 0)
}
