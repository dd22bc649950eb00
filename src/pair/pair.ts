/**
 * The pair as an object: pair schema version 1, as the assemblers lay it out in MessagePack and as consumers read it.
 * `schema/pair.schema.json` says the same for other languages; tests hold the two together.
 *
 * Objects are for what a person reads and for `tail`. On the way from an assembler to Kafka a pair stays bytes.
 */

/** A request with its final response. */
export interface Pair {
  /** Schema version. Changes within a version only add. */
  v: 1
  /** 32 hex digits, the same wherever this exchange was captured: consumers drop duplicates by it. */
  id: string
  /** Packet time of the request's first byte, microseconds since the Unix epoch. */
  requestStartMicros: number
  /** Packet time of the request's last byte, microseconds since the Unix epoch. */
  requestEndMicros: number
  /** Packet time of the response's first byte, microseconds since the Unix epoch. May be before `requestEndMicros`. */
  responseStartMicros: number
  /** Packet time of the response's last byte, microseconds since the Unix epoch. */
  responseEndMicros: number
  client: Endpoint
  server: Endpoint
  request: RequestMessage
  response: ResponseMessage
  capture: CaptureInfo
  /** What is unusual about this pair, such as a body that could not be decoded. Unknown flags are to be ignored. */
  flags: string[]
}

/** One end of the connection. */
export interface Endpoint {
  /** IPv4 dotted, or IPv6 as RFC 5952 writes it, without brackets. */
  address: string
  /** TCP port, 0 to 65535. */
  port: number
  /** The pod behind the address, where it is known. */
  pod: Pod | null
}

/** A Kubernetes pod. */
export interface Pod {
  name: string
  namespace: string
  uid: string
  /** What runs the pod, such as `{kind: 'Deployment', name: 'api'}`. */
  workload: { kind: string; name: string } | null
  /** The container that holds the socket, or the empty string where that is unknown. */
  container: string
  labels: Record<string, string>
}

/** Name and value of a header line, as sent: case, order and duplicates are kept. */
export type Header = [name: string, value: string]

/** What requests and responses have in common. */
export interface Message {
  /** `1.1` or `1.0`. */
  httpVersion: string
  headers: Header[]
  /** After de-chunking; after undoing `Content-Encoding` where `decoded` is true. */
  body: Uint8Array
  /** How `body` is written: always `bin` in MessagePack. The JSON form has `utf8` or `base64` here. */
  bodyEncoding: 'bin'
  /** Bytes of the body after de-chunking as sent, so still encoded: not `body.length` where `decoded` is true. */
  bodySize: number
  /** Whether `Content-Encoding` has been undone. */
  decoded: boolean
  /** Bytes of start line, headers, framing and body as seen on the wire. */
  wireSize: number
}

/** What a request has beside. */
export interface RequestMessage extends Message {
  method: string
  /** The request target exactly as sent (RFC 9112 §3.2): a path, an absolute URL, `host:port` or `*`. */
  target: string
}

/** What a response has beside. */
export interface ResponseMessage extends Message {
  /** 100 to 999. */
  status: number
  /** The reason phrase as sent, often empty. */
  reason: string
}

/** Where the pair was captured. */
export interface CaptureInfo {
  node: string
  interface: string
  vantage: Vantage
  /** The service mesh whose loopback was captured, such as `istio`. */
  mesh: string | null
  /**
   * What the mesh's proxy says of the real client: fields of the request, such as `X-Forwarded-For`, as they stand in its
   * headers. Claims. Absent where there are none, or no proxy is in front of the server.
   */
  forwarded?: Header[]
}

/** From whose side the exchange was seen. */
export type Vantage = 'server' | 'client' | 'host' | 'file'

/**
 * Value of the first header of that name.
 *
 * @param name in lower case
 * @returns undefined where there is none
 */
export function headerValue(message: Message, name: string): string | undefined {
  for (const [key, value] of message.headers) {
    if (key.length === name.length && key.toLowerCase() === name) return value
  }
  return undefined
}

/** Media type without parameters, in lower case (RFC 9110 §8.3.1); the empty string where there is none. */
export function mediaType(message: Message): string {
  const value = headerValue(message, 'content-type')
  return value === undefined ? '' : (value.split(';', 1)[0]?.trim().toLowerCase() ?? '')
}
