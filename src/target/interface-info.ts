/** The description of a captured interface, sent to the assemblers as JSON. */
import type { PortRange } from '../net/port-ranges.ts'
import type { EndpointPod } from '../pair/endpoint-pod.ts'

export interface InterfaceInfo {
  /** As in the pair's `capture.interface`: `eth0`, or the name that a capture file gives the interface. */
  name: string
  /** Vantage of all pairs of this interface where `vantagePoint` is null. */
  vantage: 'server' | 'client' | 'host' | 'file'
  mesh: string | null
  /**
   * Identifies the network namespace: equal 5-tuples in two domains are different connections.
   * 0 for the host and for files. A uint16.
   */
  domain: number
  /** Set by the node agent; null for files and for interfaces captured by name. */
  vantagePoint: VantagePoint | null
}

/**
 * What the agent knows of a capture point. From it an assembler decides, for each connection, which end is local, which
 * pods the ends are, and whether the pairs seen from here are kept.
 */
export interface VantagePoint {
  /**
   * `pod`: a pod's external interface. `loopback`: a pod's loopback interface. `host`: the host's own
   * interfaces, of which only connections of the host's own sockets count.
   */
  scope: 'pod' | 'loopback' | 'host'
  /** The pod whose network namespace it is; null for the host's namespace, and while the pod is unknown. */
  pod: EndpointPod | null
  /** Addresses of that namespace, canonical text (RFC 5952). On a loopback interface every address is local. */
  addresses: string[]
  /** `loopback`: ports on which the proxy accepts the application's outgoing requests; their vantage is the client's. */
  outboundPorts: number[]
  /** `host`: the hostNetwork pods, by the TCP port that one of them listens on. */
  listeners: Record<string, EndpointPod>
  /**
   * `host`: the TTL of packets that the host's own sockets send (net.ipv4.ip_default_ttl). Forwarded packets have a lower
   * one, which distinguishes masqueraded traffic of pods from the host's own. 0: not checked.
   */
  hopLimit: number
  /** `host`: connections in tunnels are captured too, such as those that a port mirror sends here; see `judge`. */
  tunnels: boolean
  /** `pod`: the only connections that are kept, because all others are kept at another capture point; null: all. */
  bypass: Bypass | null
}

/** Connections that bypass a mesh's proxy. */
export interface Bypass {
  /** Ports of the pod. */
  readonly inbound: readonly PortRange[]
  /** Ports of the servers that the pod connects to. */
  readonly outbound: readonly PortRange[]
  /** CIDRs or addresses of servers to which all ports bypass the proxy. */
  readonly outboundNetworks: readonly string[]
}

/** Which vantages are kept, as in the configuration's section `targets`. */
export interface VantagePolicy {
  keep: 'server' | 'both'
  /** CIDRs of the cluster's pods and services. */
  clusterNetworks: readonly string[]
}
