/** Encodes a pair as the value of a Kafka record or a file. Shipper thread. */
import { decodeBodies } from './decode-body.ts'
import { JsonEncoder } from './to-json.ts'
import { packPair, readPair } from './unpack.ts'

/** Values of `ship.format`. */
export type ValueFormat = 'msgpack' | 'json'

const asSent = new JsonEncoder(false)
const decoding = new JsonEncoder(true)

/**
 * Encodes a pair. MessagePack without decoding is `raw` itself, not a copy.
 *
 * @param raw  a pair as an assembler encoded it
 * @param decode  undo `Content-Encoding` (`ship.decode`)
 * @returns the value: `raw` itself or bytes of its own; an Error if `raw` is not a pair
 * @throws never
 */
export function encodeValue(raw: Uint8Array, format: ValueFormat, decode: boolean): Uint8Array | Error {
  if (format === 'json') {
    const json = (decode ? decoding : asSent).encode(raw)
    return json instanceof Error ? json : Buffer.from(json)
  }
  if (!decode) return raw
  const pair = readPair(raw)
  if (pair instanceof Error) return pair
  decodeBodies(pair)
  return packPair(pair)
}
