/** What goes into a Kafka record or a file, from what an assembler laid out. Shipper thread. */
import { decodeBodies } from './decode-body.ts'
import { JsonEncoder } from './to-json.ts'
import { packPair, readPair } from './unpack.ts'

/** Forms of a value: `ship.format`. */
export type ValueFormat = 'msgpack' | 'json'

const asSent = new JsonEncoder(false)
const decoding = new JsonEncoder(true)

/**
 * A pair in the wanted form. MessagePack without decoding is `raw` itself, untouched and uncopied.
 *
 * @param raw a pair as an assembler laid it
 * @param decode undo `Content-Encoding` (`ship.decode`)
 * @returns the value, which may be `raw` itself but shares its bytes with nothing else; an Error where `raw` is no pair
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
