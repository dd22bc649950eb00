/** What a pair needs while it is encoded. */
import { ENDPOINTS_BYTES } from '../preamble/proxy-head.ts'
import { FORWARDED_BYTES } from './forwarded.ts'

/** Upper bound of a pair's bytes without its messages: prefix, endpoints with their pods, capture with its names, flags. */
const PAIR_FRAME_BYTES = 2048 + 2 * 65_536 + 2 * 65_536 + FORWARDED_BYTES + ENDPOINTS_BYTES

/**
 * Upper bound of an encoded pair, and of one encoded message, in bytes. Encoding doubles a message at most: a byte of a head
 * may become two, and a field needs less than twice its bytes.
 */
export const pairRoom = ({ messageBytes, pairBytes }: { messageBytes: number; pairBytes: number }): number =>
  2 * Math.max(messageBytes, pairBytes) + PAIR_FRAME_BYTES
