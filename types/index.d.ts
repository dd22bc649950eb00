// Generated from schema/pair.schema.json by `npm run generate`.

/** A body in the JSON form. */
export interface JsonBody {
  body: string
  /** utf8 where the body is valid UTF-8, else base64. */
  bodyEncoding: 'utf8' | 'base64'
}

/** A body in the MessagePack form. */
export interface PackedBody {
  body: Uint8Array
  bodyEncoding: 'bin'
}

/** A pair as JSON: `-o ndjson`, and values with `ship.format: json`. */
export type JsonPair = Pair<JsonBody>

/** A pair as MessagePack: `-o msgpack`, and values by default. */
export type PackedPair = Pair<PackedBody>

/** A request with its final response. One schema for both forms: JSON (-o ndjson, Kafka values with --format json) and MessagePack (standard types only). They differ only in `body` and `bodyEncoding`. Within a version, keys and flags are only added: readers ignore those that they do not know. */
export interface Pair<Body extends JsonBody | PackedBody = JsonBody | PackedBody> {
  /** Version of this schema. */
  v: 1
  /** Identifies the exchange wherever and however often it is captured: computed from the TCP sequence numbers of both messages' first bytes and from their heads. Consumers drop duplicates by it. */
  id: string
  /** Packet time of the request's first byte, microseconds since the Unix epoch. */
  requestStartMicros: number
  /** Packet time of the request's last byte, microseconds since the Unix epoch. */
  requestEndMicros: number
  /** Packet time of the response's first byte, microseconds since the Unix epoch. Before requestEndMicros where the server answered early. */
  responseStartMicros: number
  /** Packet time of the response's last byte, microseconds since the Unix epoch. */
  responseEndMicros: number
  /** The end that sent the request. */
  client: Endpoint
  /** The end that sent the response. */
  server: Endpoint
  /** The request. */
  request: Message & Body & {
    /** As sent. */
    method: string
    /** The request target exactly as sent: a path with its query, an absolute URL, host:port, or *. */
    target: string
  }
  /** The final response; interim ones (1xx other than 101) are left out. */
  response: Message & Body & {
    /** Status code. */
    status: number
    /** Reason phrase as sent, often empty. */
    reason: string
  }
  /** Where the exchange was captured. */
  capture: {
    /** Name of the node that captured. */
    node: string
    /** Network interface; of a capture file, the name that the file gives it. */
    interface: string
    /** The capture point: in the server's or the client's network namespace, on the host, or in a capture file. */
    vantage: 'server' | 'client' | 'host' | 'file'
    /** The service mesh whose sidecar's loopback was captured, such as istio; null: none. */
    mesh: string | null
    /** The request headers in which the mesh's proxy names the original client, at most 15 and 4 KiB. They are claims, not captured addresses. Absent if there are none. */
    forwarded?: Headers
    /** The original client, and the address that it connected to, as a load balancer names them in the PROXY protocol's head at the beginning of the connection. They are claims, not captured addresses. Absent without such a head, or if it names none. */
    proxyProtocol?: {
      /** The client. */
      source: SocketAddress
      /** The address that the client connected to. */
      destination: SocketAddress
    }
  }
  /** Irregularities of this pair. midstream: the connection was first seen after its handshake. earlyResponse: the response began before the request had ended. obsFold: a header line was folded over several lines, which are joined. malformedHeader: a header line has no colon, or continues a missing line. contentLengthIgnored: a message has both Content-Length and Transfer-Encoding; the latter applies. tunnel: the exchange went through a SOCKS or CONNECT proxy, which is `server`. incompleteResponse: the connection or the capture ended within the response, and its body is the part that was captured; only with assemble.incompleteResponses. requestBodyNotDecoded, responseBodyNotDecoded: decoding is enabled, but the body has an unknown coding, is damaged, or would be too large; `body` is as sent. */
  flags: string[]
}

export type Headers = [string, string][]

export interface SocketAddress {
  /** IPv4 address in dotted form, or IPv6 address as in RFC 5952, without brackets. */
  address: string
  /** TCP port. */
  port: number
}

export interface Endpoint {
  /** IPv4 address in dotted form, or IPv6 address as in RFC 5952, without brackets. */
  address: string
  /** TCP port. */
  port: number
  /** The Kubernetes pod that held the address; null: none is known. */
  pod: null | Pod
}

export interface Pod {
  /** Name of the pod; null: unknown. If namespace is null, it is a hint from the environment of the pod's processes. */
  name: string | null
  /** Its namespace; null: the API server has not reported the pod, and name and container are from the node's /proc. */
  namespace: string | null
  /** Its UID. */
  uid: string
  /** The controller of the pod; null: none, or unknown. */
  workload: null | {
    /** Kind, such as Deployment. */
    kind: string
    /** Name. */
    name: string
  }
  /** Container within the pod: its name or, if namespace is null, its id. Empty: unknown. */
  container: string
  /** Labels of the pod. */
  labels: Record<string, string>
}

export interface Message {
  /** As sent: 1.1 or 1.0; 2.0 where a server answers HTTP/2.0 on an HTTP/1.1 connection. */
  httpVersion: string
  /** Name and value of each header line in the order sent, case and duplicates kept. Bytes from 0x80 on that are not UTF-8 are read as Latin-1. */
  headers: Headers
  /** Bytes of the body as sent: without chunk framing, still encoded, also if `decoded` is true. */
  bodySize: number
  /** Whether these codings were decoded in `body`. */
  decoded: boolean
  /** Bytes of start line, headers, framing and body on the wire. */
  wireSize: number
}
