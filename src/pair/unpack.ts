/** Pairs between bytes and objects, in both forms a topic or a file may hold: MessagePack and JSON. */
import { Packr, Unpackr } from 'msgpackr'
import { checkPair } from './check.ts'
import type { Pair } from './pair.ts'

/** Plain MessagePack: no records, no extensions of msgpackr's own, integers of 64 bits as numbers. */
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' })
const packr = new Packr({ useRecords: false, variableMapSize: true })

/** First byte of the JSON form, `{`. In MessagePack it would be the number 123, never a map. */
const JSON_START = 0x7b

/**
 * Reads the MessagePack form.
 *
 * @returns the pair, or an Error that says why these bytes are none. Bodies are views into `bytes`.
 * @throws never, whatever the bytes
 */
export function unpackPair(bytes: Uint8Array): Pair | Error {
  try {
    return checkPair(unpackr.unpack(bytes))
  } catch (cause) {
    return new Error('not a pair: not valid MessagePack', { cause })
  }
}

/**
 * Reads a pair in either form.
 *
 * @returns the pair, or an Error that says why these bytes are none. Bodies may be views into `bytes`.
 * @throws never, whatever the bytes
 */
export function readPair(bytes: Uint8Array): Pair | Error {
  return bytes[0] === JSON_START ? parsePair(bytes) : unpackPair(bytes)
}

function parsePair(bytes: Uint8Array): Pair | Error {
  try {
    const value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as {
      request?: unknown
      response?: unknown
    }
    restoreBody(value.request)
    restoreBody(value.response)
    return checkPair(value)
  } catch (cause) {
    return new Error('not a pair: not valid JSON', { cause })
  }
}

/** Turns the JSON form's body into bytes, in place. What is not one stays as it is, for the check to refuse. */
function restoreBody(message: unknown): void {
  const fields = message as { body?: unknown; bodyEncoding?: unknown } | null | undefined
  const encoding = fields?.bodyEncoding
  if (typeof fields?.body !== 'string' || (encoding !== 'utf8' && encoding !== 'base64')) return
  fields.body = Buffer.from(fields.body, encoding)
  fields.bodyEncoding = 'bin'
}

/**
 * Writes the MessagePack form with the types the assemblers use: times as 64-bit integers, bodies as `bin`.
 * (A JavaScript number over 32 bits would become a float.)
 */
export function packPair(pair: Pair): Uint8Array {
  return packr.pack({
    ...pair,
    requestStartMicros: BigInt(pair.requestStartMicros),
    requestEndMicros: BigInt(pair.requestEndMicros),
    responseStartMicros: BigInt(pair.responseStartMicros),
    responseEndMicros: BigInt(pair.responseEndMicros),
  })
}
