/** The pod annotations that discovery evaluates. Of a pod's annotations only these are kept. */
import type { MeshName } from '../proc/mesh.ts'

/** `"true"` or `"false"` overrides the configuration's rules for its pod. */
export const CAPTURE_ANNOTATION = 'interceptor.dev/capture'
/** Comma-separated names or globs of the interfaces on which the pod is captured: `lo`, `pod`, `net1`, `net*`. */
export const INTERFACES_ANNOTATION = 'interceptor.dev/interfaces'

/** Annotations that move a port of the mesh's proxy, each with the port's default. */
export const PORT_ANNOTATIONS: Readonly<Record<MeshName, Readonly<Record<string, number>>>> = {
  istio: { 'status.sidecar.istio.io/port': 15020 },
  linkerd: {
    'config.linkerd.io/inbound-port': 4143,
    'config.linkerd.io/control-port': 4190,
    'config.linkerd.io/admin-port': 4191,
    'config.linkerd.io/outbound-port': 4140,
  },
  kuma: {
    'kuma.io/envoy-admin-port': 9901,
    'kuma.io/transparent-proxying-inbound-port': 15006,
    'kuma.io/transparent-proxying-inbound-v6-port': 15010,
    'kuma.io/transparent-proxying-outbound-port': 15001,
    'kuma.io/builtin-dns-port': 15053,
  },
  consul: {},
}

/** Annotations with the ports and networks that bypass the mesh's proxy. Ports are comma-separated, also as ranges. */
export const BYPASS_ANNOTATIONS: Readonly<
  Record<MeshName, { readonly inboundPorts: string; readonly outboundPorts: string; readonly outboundNetworks: string }>
> = {
  istio: {
    inboundPorts: 'traffic.sidecar.istio.io/excludeInboundPorts',
    outboundPorts: 'traffic.sidecar.istio.io/excludeOutboundPorts',
    outboundNetworks: 'traffic.sidecar.istio.io/excludeOutboundIPRanges',
  },
  linkerd: {
    inboundPorts: 'config.linkerd.io/skip-inbound-ports',
    outboundPorts: 'config.linkerd.io/skip-outbound-ports',
    outboundNetworks: 'config.linkerd.io/skip-subnets',
  },
  kuma: {
    inboundPorts: 'traffic.kuma.io/exclude-inbound-ports',
    outboundPorts: 'traffic.kuma.io/exclude-outbound-ports',
    outboundNetworks: 'traffic.kuma.io/exclude-outbound-ips',
  },
  consul: {
    inboundPorts: 'consul.hashicorp.com/transparent-proxy-exclude-inbound-ports',
    outboundPorts: 'consul.hashicorp.com/transparent-proxy-exclude-outbound-ports',
    outboundNetworks: 'consul.hashicorp.com/transparent-proxy-exclude-outbound-cidrs',
  },
}

/** Istio: the only inbound ports that are redirected to the proxy; `*`: all; empty: none. */
export const ISTIO_INCLUDE_INBOUND = 'traffic.sidecar.istio.io/includeInboundPorts'
/** Istio: interfaces whose traffic is not redirected. */
export const ISTIO_EXCLUDE_INTERFACES = 'traffic.sidecar.istio.io/excludeInterfaces'
/** Istio: REDIRECT, TPROXY, or NONE: nothing is redirected. */
export const ISTIO_INTERCEPTION = 'sidecar.istio.io/interceptionMode'
/** Istio ambient: `true`: inbound traffic is not redirected to ztunnel. */
export const AMBIENT_BYPASS_INBOUND = 'ambient.istio.io/bypass-inbound-capture'
/** Consul: `false`: nothing is redirected, applications connect to the proxy's upstream ports. */
export const CONSUL_TRANSPARENT = 'consul.hashicorp.com/transparent-proxy'
/** Consul: `name:port` or `name:port:datacenter`, comma-separated. Applications connect to these ports on loopback. */
export const CONSUL_UPSTREAMS = 'consul.hashicorp.com/connect-service-upstreams'
/** Istio: the injected templates. Those of gRPC contain an agent but no proxy. */
export const ISTIO_TEMPLATES = 'inject.istio.io/templates'
/** Set by Istio's CNI plugin on a pod in ambient mode. */
export const AMBIENT_REDIRECTION = 'ambient.istio.io/redirection'
/** Dapr: `true`: its sidecar is injected. */
export const DAPR_ENABLED = 'dapr.io/enabled'

/** All annotations that are kept. */
export const KEPT_ANNOTATIONS: ReadonlySet<string> = new Set([
  CAPTURE_ANNOTATION,
  INTERFACES_ANNOTATION,
  ...Object.values(PORT_ANNOTATIONS).flatMap((ports) => Object.keys(ports)),
  ...Object.values(BYPASS_ANNOTATIONS).flatMap((names) => Object.values(names)),
  ISTIO_INCLUDE_INBOUND,
  ISTIO_EXCLUDE_INTERFACES,
  ISTIO_INTERCEPTION,
  AMBIENT_BYPASS_INBOUND,
  CONSUL_TRANSPARENT,
  CONSUL_UPSTREAMS,
  ISTIO_TEMPLATES,
  AMBIENT_REDIRECTION,
  DAPR_ENABLED,
])
