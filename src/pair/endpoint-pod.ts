/** The pods at the ends of connections, and which pod held an address when. The pair's form is in pair.ts. */

/** A pod as a pair names it, without the container. */
export interface PodIdentity {
  /** null: unknown. Without a namespace it is a hint from the environment of the pod's processes. */
  name: string | null
  /** null: the API server has not reported the pod. */
  namespace: string | null
  uid: string
  workload: { kind: string; name: string } | null
  labels: Record<string, string>
}

/** A pod at an end of a connection. */
export interface EndpointPod {
  identity: PodIdentity
  /** The pod's only container, sidecar proxies aside; null: there are several, or they are unknown. A name or, if the API
   * server has not reported the pod, an id. */
  container: string | null
  /** Containers, likewise, by the TCP ports that they declare or listen on. */
  containersByPort: Record<string, string>
}

/** A pod that held an address for some time. Packet times, microseconds since the Unix epoch. */
export interface AddressHolder {
  pod: EndpointPod
  fromMicros: number
  /** null: the pod still holds the address. */
  toMicros: number | null
}

/** The holders of an address. Replaces an earlier entry for the address; an entry without holders deletes it. */
export interface AddressEntry {
  /** Canonical text (RFC 5952). */
  address: string
  /** Ordered by time, the latest last. */
  holders: AddressHolder[]
}
