/** What goes into a Kafka record or a file, from what an assembler laid out. Shipper thread. */
import { decodeBodies } from './decode-body.ts'
import { pairToJson } from './to-json.ts'
import { packPair, readPair } from './unpack.ts'

/** Forms of a value: `ship.format`. */
export type ValueFormat = 'msgpack' | 'json'

/**
 * A pair in the wanted form. MessagePack without decoding is `raw` itself, untouched and uncopied.
 *
 * @param raw a pair in either form; only an assembler's MessagePack is expected here
 * @param decode undo `Content-Encoding` (`ship.decode`)
 * @returns the value, which may be `raw` itself; an Error where `raw` is no pair
 * @throws never
 */
export function encodeValue(raw: Uint8Array, format: ValueFormat, decode: boolean): Uint8Array | Error {
  if (format === 'msgpack' && !decode) return raw
  const pair = readPair(raw)
  if (pair instanceof Error) return pair
  if (decode) decodeBodies(pair)
  return format === 'msgpack' ? packPair(pair) : Buffer.from(pairToJson(pair))
}
