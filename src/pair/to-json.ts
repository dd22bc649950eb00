/** The JSON form of a pair: the same map, with bodies as text. */
import { isUtf8 } from 'node:buffer'
import type { Message, Pair } from './pair.ts'

/**
 * Text of a body: itself where it is valid UTF-8, else base64.
 *
 * @returns the text and how to read it
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

/** @returns one JSON object on one line, keys in the order of the schema */
export function pairToJson(pair: Pair): string {
  return JSON.stringify({ ...pair, request: jsonMessage(pair.request), response: jsonMessage(pair.response) })
}
