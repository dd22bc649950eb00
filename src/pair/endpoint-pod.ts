/** The pods at the ends of connections, and which pod held an address when. The pair's form is in pair.ts. */

/** A pod as a pair names it, without the container. */
export interface PodIdentity {
  name: string
  namespace: string
  uid: string
  workload: { kind: string; name: string } | null
  labels: Record<string, string>
}

/** A pod at an end of a connection. */
export interface EndpointPod {
  identity: PodIdentity
  /** Name of the pod's only container, mesh proxies aside; null: there are several, or they are unknown. */
  container: string | null
  /** Container names by the TCP ports that the containers declare. */
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
