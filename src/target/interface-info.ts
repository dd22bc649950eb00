/** What the stages know of a place where frames are captured. Carried to the assemblers as JSON. */
import type { EndpointPod } from '../pair/endpoint-pod.ts'

export interface InterfaceInfo {
  /** As in the pair's `capture.interface`: `eth0`, or a file's own name for it. */
  name: string
  /** Where an exchange is seen from, when `view` does not tell it connection by connection. */
  vantage: 'server' | 'client' | 'host' | 'file'
  mesh: string | null
  /**
   * Network namespaces are told apart by this: equal 5-tuples of two domains are different connections.
   * 0 for the host and for files. A uint16.
   */
  domain: number
  /** Whose traffic it is, for the node agent; null for files and for interfaces captured by name. */
  view: View | null
}

/**
 * What the agent knows of a capture point, and by which an assembler tells, for each connection, which end is here, how it
 * is called, and whether this is the view to keep.
 */
export interface View {
  /**
   * pod: a pod's external interface. loopback: the loopback of a pod with a sidecar. host: the host's own interfaces, of
   * which only connections count whose socket is the host's.
   */
  scope: 'pod' | 'loopback' | 'host'
  /** The pod whose network namespace it is; null for the host's, and while nothing is known of it. */
  pod: EndpointPod | null
  /** Addresses of that namespace, canonical text (RFC 5952). On a loopback every address is local. */
  addresses: string[]
  /** loopback: ports of the proxy that take what the application sends out. What goes there is the client's view. */
  outboundPorts: number[]
  /** host: the pods with the host's network, by the TCP port one of them listens on. */
  listeners: Record<string, EndpointPod>
  /**
   * host: the TTL that packets of the host's own sockets begin with (net.ipv4.ip_default_ttl). What is forwarded has less,
   * which tells masqueraded traffic of pods from the host's own. 0: not looked at.
   */
  hopLimit: number
}
