/** Encodes a pair as the value of a Kafka record or a file. Shipper thread. */
import { decodeBodies } from './decode-body.ts'
import { JsonEncoder } from './to-json.ts'
import { packPair, readPair } from './unpack.ts'

/** Values of `ship.format`. */
export type ValueFormat = 'msgpack' | 'json'

/** Encodes one pair after the other. */
export type EncodeValue = (raw: Uint8Array) => Uint8Array | Error

/**
 * What encodes pairs, given as an assembler encoded them, each into bytes of its own. It returns an Error for what is
 * not a pair, and never throws.
 *
 * @param decode  undo `Content-Encoding` (`ship.decode`)
 * @returns null where the assembler's encoding is the value already
 */
export function valueEncoder(format: ValueFormat, decode: boolean): EncodeValue | null {
  if (format === 'json') {
    const encoder = new JsonEncoder(decode)
    return (raw) => {
      const json = encoder.encode(raw)
      return json instanceof Error ? json : Buffer.from(json)
    }
  }
  return decode ? decodedPair : null
}

function decodedPair(raw: Uint8Array): Uint8Array | Error {
  const pair = readPair(raw)
  if (pair instanceof Error) return pair
  decodeBodies(pair)
  return packPair(pair)
}
