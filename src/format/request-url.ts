/** The URL of a request, for formats and programs that need one. */
import { headerValue, type Pair } from '../pair/pair.ts'

/** Host and port of a URL (RFC 3986 §3.2), without user information. */
const AUTHORITY = /^(\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(:\d*)?$/i
const NOT_IN_URL = /[^\x21-\x7e]|["<>\\^`{|}]/gu

const percentEncode = (text: string): string =>
  Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')

/** Whether a target is a whole URI, as clients send it to a proxy (RFC 9112 §3.2.2). */
export const isAbsolute = (target: string): boolean => /^[a-z][a-z\d+.-]*:\/\//i.test(target)

/** Percent-encodes characters that a URL cannot contain; existing escapes stay. */
const urlText = (text: string): string => text.replace(NOT_IN_URL, percentEncode)

/** The target URI (RFC 9112 §3.3), made of the target, the Host field or else the server's address. */
export function requestUrl(pair: Pair): string {
  const { method, target } = pair.request
  if (isAbsolute(target)) return urlText(target)
  if (method === 'CONNECT' && AUTHORITY.test(target)) return `http://${target}/`
  const path = target.startsWith('/') ? target : target === '*' ? '/' : `/${target}`
  return `http://${requestAuthority(pair)}${urlText(path)}`
}

/** Host and port that a request is addressed to: the Host field if it is valid, else the server's address. */
function requestAuthority(pair: Pair): string {
  const host = headerValue(pair.request, 'host')?.trim() ?? ''
  const { address, port } = pair.server
  return AUTHORITY.test(host) ? host : `${address.includes(':') ? `[${address}]` : address}:${port}`
}
