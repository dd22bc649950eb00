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

/** A request with its final response. One schema for both forms: JSON (-o ndjson, Kafka values with --format json) and MessagePack (standard types only). They differ in `body` and `bodyEncoding` alone. Within a version, changes only add: readers ignore keys and flags they do not know. */
export interface Pair<Body extends JsonBody | PackedBody = JsonBody | PackedBody> {
  /** Version of this schema. */
  v: 1
  /** Identifies the exchange wherever and however often it is captured: made of the TCP sequence numbers of both messages' first bytes and their heads. Consumers drop duplicates by it. */
  id: string
  /** Packet time of the request's first byte, microseconds since the Unix epoch. */
  requestStartMicros: number
  /** Packet time of the request's last byte, microseconds since the Unix epoch. */
  requestEndMicros: number
  /** Packet time of the response's first byte, microseconds since the Unix epoch. Before requestEndMicros where the server answered early. */
  responseStartMicros: number
  /** Packet time of the response's last byte, microseconds since the Unix epoch. */
  responseEndMicros: number
  /** Who asked. */
  client: Endpoint
  /** Who answered. */
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
  /** Where the exchange was seen. */
  capture: {
    /** Name of the node that captured. */
    node: string
    /** Network interface, or a capture file's own name for it. */
    interface: string
    /** From whose side: in the server's or the client's network namespace, on the host, or out of a capture file. */
    vantage: 'server' | 'client' | 'host' | 'file'
    /** The service mesh whose loopback side was captured, such as istio; null: none. */
    mesh: string | null
    /** What the mesh's proxy in front of the server says of the real client: those of the request's headers, at most 15 and 4 KiB. Claims, not addresses that were seen. Absent where there are none. */
    forwarded?: Headers
    /** The real client, and the address that it connected to, as a load balancer names them in the PROXY protocol's head at the beginning of the connection. Claims, not addresses that were seen. Absent without such a head, or where it names none. */
    proxyProtocol?: {
      /** The client. */
      source: SocketAddress
      /** Where it connected to. */
      destination: SocketAddress
    }
  }
  /** What is unusual about this pair. midstream: the connection was first seen after its handshake. earlyResponse: the response began before the request had ended. obsFold: a header went over several lines, which are joined. malformedHeader: a header line has no colon, or continues a line that is not there. contentLengthIgnored: Content-Length did not count, as Transfer-Encoding was there too. tunnel: the exchange went through a SOCKS or CONNECT proxy, which is the server named here. incompleteResponse: on request (assemble.incompleteResponses), the connection or the capture ended within the response, whose body is what was seen of it. requestBodyNotDecoded, responseBodyNotDecoded: decoding is on, but the body has an unknown coding, is damaged, or would be too large, and is here as sent. */
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
  /** The Kubernetes pod behind the address; null where none is known. */
  pod: null | Pod
}

export interface Pod {
  /** Name of the pod; null where it is not known. Where namespace is null it is a hint from the environment of the pod's processes. */
  name: string | null
  /** Its namespace; null where the API server has not reported the pod, and name and container come from the node's /proc. */
  namespace: string | null
  /** Its UID. */
  uid: string
  /** What runs the pod; null where nothing does or it is not known. */
  workload: null | {
    /** Kind, such as Deployment. */
    kind: string
    /** Name. */
    name: string
  }
  /** Container within the pod: its name or, where namespace is null, its id. Empty where it is not known. */
  container: string
  /** Labels of the pod. */
  labels: Record<string, string>
}

export interface Message {
  /** As sent: 1.1 or 1.0; 2.0 where a server answers HTTP/2.0 on an HTTP/1.1 connection. */
  httpVersion: string
  /** Name and value of each header line in the order sent, case and duplicates kept. Bytes from 0x80 on that are not UTF-8 are read as Latin-1. */
  headers: Headers
  /** Bytes of the body after de-chunking as sent: still encoded, whatever `decoded` says. */
  bodySize: number
  /** Whether these codings have been undone in `body`. */
  decoded: boolean
  /** Bytes of start line, headers, framing and body as seen on the wire. */
  wireSize: number
}
