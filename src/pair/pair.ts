/**
 * The pair as an object: pair schema version 1, which the assemblers encode in MessagePack and consumers read.
 * `schema/pair.schema.json` describes the same for other languages; tests keep both in step.
 *
 * Only printed formats and `tail` use objects. From an assembler to Kafka a pair stays bytes.
 */

/** A request with its final response. */
export interface Pair {
  /** Schema version. Within a version, fields are only added. */
  v: 1
  /** 32 hex digits, the same at every capture point: consumers recognise duplicates of an exchange by it. */
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
  /** Irregularities of this pair, such as a body that could not be decoded. Ignore unknown flags. */
  flags: string[]
}

/** One end of the connection. */
export interface Endpoint {
  /** IPv4 dotted, or IPv6 as RFC 5952 writes it, without brackets. */
  address: string
  /** TCP port, 0 to 65535. */
  port: number
  /** The pod that held the address; null: unknown, or not a pod. */
  pod: PairPod | null
}

/** A Kubernetes pod. */
export interface PairPod {
  /** null: unknown. With `namespace` null it is a hint from the environment of the pod's processes. */
  name: string | null
  /** null: the API server has not reported the pod, and `name` and `container` come from /proc. */
  namespace: string | null
  uid: string
  /** The pod's controller, such as `{kind: 'Deployment', name: 'api'}`; null: none, or unknown. */
  workload: { kind: string; name: string } | null
  /** The container that owns the socket: its name or, with `namespace` null, its id. Empty: unknown. */
  container: string
  labels: Record<string, string>
}

/** Name and value of a header line as sent. Case, order and duplicates are preserved. */
export type Header = [name: string, value: string]

/** Fields that requests and responses share. */
export interface Message {
  /** `1.1` or `1.0`. */
  httpVersion: string
  headers: Header[]
  /** After de-chunking; after undoing its codings where `decoded` is true. */
  body: Uint8Array
  /** How `body` is encoded: `bin` in MessagePack, `utf8` or `base64` in JSON. */
  bodyEncoding: 'bin'
  /** Bytes of the body after de-chunking, still in its codings: not `body.length` if `decoded` is true. */
  bodySize: number
  /** Whether `Content-Encoding`, and codings of `Transfer-Encoding` other than `chunked`, have been undone. */
  decoded: boolean
  /** Bytes of start line, headers, framing and body on the wire. */
  wireSize: number
}

/** A request. */
export interface RequestMessage extends Message {
  method: string
  /** The request target exactly as sent (RFC 9112 §3.2): a path, an absolute URL, `host:port` or `*`. */
  target: string
}

/** A final response. */
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
   * Header fields in which the mesh's proxy names the original client, such as `X-Forwarded-For`, as sent. Unverified
   * claims. Absent if there are none, or no proxy is in front of the server.
   */
  forwarded?: Header[]
  /**
   * The original client, and the address that it connected to, as a load balancer names them in the PROXY protocol's
   * head at the beginning of the connection. Unverified claims. Absent without such a head, or if it names none.
   */
  proxyProtocol?: { source: SocketAddress; destination: SocketAddress }
}

/** An address, as in `Endpoint`, and a TCP port. */
export interface SocketAddress {
  address: string
  port: number
}

/** The side from which the exchange was captured. */
export type Vantage = 'server' | 'client' | 'host' | 'file'

/**
 * Finds the first header with a name.
 *
 * @param name  in lower case
 * @returns its value; undefined if there is none
 */
export function headerValue(message: Message, name: string): string | undefined {
  for (const [key, value] of message.headers) {
    if (key.length === name.length && key.toLowerCase() === name) return value
  }
  return undefined
}

/** Media type without parameters, in lower case (RFC 9110 §8.3.1); empty if the message has none. */
export function mediaType(message: Message): string {
  const value = headerValue(message, 'content-type')
  return value === undefined ? '' : (value.split(';', 1)[0]?.trim().toLowerCase() ?? '')
}
