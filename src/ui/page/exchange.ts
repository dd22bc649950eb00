/** One exchange as the server sends it: the JSON form of a pair (schema/pair.schema.json). */

export interface ExchangePod {
  name: string | null
  namespace: string | null
  workload: { kind: string; name: string } | null
  container: string
}

export interface ExchangeEnd {
  address: string
  port: number
  pod: ExchangePod | null
}

export interface ExchangeMessage {
  httpVersion: string
  headers: [name: string, value: string][]
  body: string
  bodyEncoding: 'utf8' | 'base64'
  /** Bytes of the body as sent, without chunk framing. */
  bodySize: number
  /** `body` is without its Content-Encoding. */
  decoded: boolean
  /** Bytes of the whole message on the wire. */
  wireSize: number
}

export interface Exchange {
  id: string
  requestStartMicros: number
  requestEndMicros: number
  responseStartMicros: number
  responseEndMicros: number
  client: ExchangeEnd
  server: ExchangeEnd
  request: ExchangeMessage & { method: string; target: string }
  response: ExchangeMessage & { status: number; reason: string }
  capture: { node: string; interface: string; vantage: string; mesh: string | null }
  flags: string[]
}

/** Media type of a message, in lower case and without parameters. */
export function mediaTypeOf({ headers }: ExchangeMessage): string {
  const [, value = ''] = headers.find(([name]) => name.toLowerCase() === 'content-type') ?? []
  return (value.split(';', 1)[0] ?? '').trim().toLowerCase()
}

/** The bytes of a body. */
export function bytesOf({ body, bodyEncoding }: ExchangeMessage): Uint8Array<ArrayBuffer> {
  if (bodyEncoding === 'utf8') return new TextEncoder().encode(body)
  return Uint8Array.from(atob(body), (character) => character.charCodeAt(0))
}
