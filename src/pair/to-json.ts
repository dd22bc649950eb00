/** Encodes the JSON form of a pair: the same map, with bodies as text. */
import { isUtf8 } from 'node:buffer'
import { decodeBodies } from './decode-body.ts'
import { JsonWriter } from './json-writer.ts'
import type { Message, Pair } from './pair.ts'
import { readPair } from './unpack.ts'

/**
 * Encodes a body as text.
 *
 * @returns the body itself if it is valid UTF-8, else its base64, and which of the two it is
 */
export function bodyText(body: Uint8Array): { text: string; encoding: 'utf8' | 'base64' } {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const encoding = isUtf8(bytes) ? 'utf8' : 'base64'
  return { text: bytes.toString(encoding), encoding }
}

function jsonMessage(message: Message): object {
  const { text, encoding } = bodyText(message.body)
  return { ...message, body: text, bodyEncoding: encoding }
}

/** Encodes a pair as one JSON object on one line, keys in the order of the schema. */
export function pairToJson(pair: Pair): string {
  return JSON.stringify({ ...pair, request: jsonMessage(pair.request), response: jsonMessage(pair.response) })
}

const NOTHING = Buffer.alloc(0)

/** Encodes one pair at a time: transcodes the assemblers' layout directly, and decodes any other to an object first. */
export class JsonEncoder {
  readonly #decode: boolean
  readonly #writer: JsonWriter

  /** @param decode  undo `Content-Encoding` */
  constructor(decode: boolean) {
    this.#decode = decode
    this.#writer = new JsonWriter(decode)
  }

  /**
   * @param raw  a pair in its MessagePack or JSON form
   * @param before,after  ASCII to write around the object, at most 16 bytes each
   * @returns the JSON form, valid until the next call: copy to keep. An Error if `raw` is not a pair
   * @throws never
   */
  encode(raw: Uint8Array, before: Uint8Array = NOTHING, after: Uint8Array = NOTHING): Uint8Array | Error {
    const json = this.#writer.write(raw, before, after)
    if (json !== undefined) return json
    const pair = readPair(raw)
    if (pair instanceof Error) return pair
    if (this.#decode) decodeBodies(pair)
    return Buffer.concat([before, Buffer.from(pairToJson(pair)), after])
  }
}
