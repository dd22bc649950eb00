/** Converts pairs between bytes and objects. A topic or a file may hold both forms, MessagePack and JSON. */
import { Packr, Unpackr } from 'msgpackr/pack'
import { checkPair } from './check.ts'
import type { Pair } from './pair.ts'

/** Plain MessagePack: none of msgpackr's records or extensions; 64-bit integers become numbers. */
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' })
const packr = new Packr({ useRecords: false, variableMapSize: true })

/** `{`, the first byte of the JSON form. In MessagePack it is the number 123, never a map. */
const JSON_START = 0x7b

/**
 * Reads the MessagePack form.
 *
 * @returns the pair, with bodies as views into `bytes`; an Error with the reason if the bytes are not a pair
 * @throws never
 */
export function unpackPair(bytes: Uint8Array): Pair | Error {
  try {
    return checkPair(unpackr.unpack(bytes))
  } catch (cause) {
    return new Error('not a pair: not valid MessagePack', { cause })
  }
}

/**
 * Reads a pair in its MessagePack or JSON form.
 *
 * @returns the pair, whose bodies may be views into `bytes`; an Error with the reason if the bytes are not a pair
 * @throws never
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

/** Decodes the JSON form's body to bytes in place. Anything malformed stays as it is; checkPair rejects it. */
function restoreBody(message: unknown): void {
  const fields = message as { body?: unknown; bodyEncoding?: unknown } | null | undefined
  const encoding = fields?.bodyEncoding
  if (typeof fields?.body !== 'string' || (encoding !== 'utf8' && encoding !== 'base64')) return
  fields.body = Buffer.from(fields.body, encoding)
  fields.bodyEncoding = 'bin'
}

/**
 * Writes the MessagePack form with the assemblers' types: times as 64-bit integers, bodies as `bin`. Times are passed as
 * BigInt because msgpackr would write a number above 32 bits as a float.
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
