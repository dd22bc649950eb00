/** The pod annotations that discovery evaluates. Of a pod's annotations only these are kept. */
import type { MeshName } from '../proc/mesh.ts'

/** `"true"` or `"false"` overrides the configuration's rules for its pod. */
export const CAPTURE_ANNOTATION = 'interceptor.dev/capture'

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

/** Consul: `name:port` or `name:port:datacenter`, comma-separated. Applications connect to these ports on loopback. */
export const CONSUL_UPSTREAMS = 'consul.hashicorp.com/connect-service-upstreams'
/** Istio: the injected templates. Those of gRPC contain an agent but no proxy. */
export const ISTIO_TEMPLATES = 'inject.istio.io/templates'
/** Set by Istio's CNI plugin on a pod in ambient mode. */
export const AMBIENT_REDIRECTION = 'ambient.istio.io/redirection'

/** All annotations that are kept. */
export const KEPT_ANNOTATIONS: ReadonlySet<string> = new Set([
  CAPTURE_ANNOTATION,
  ...Object.values(PORT_ANNOTATIONS).flatMap((ports) => Object.keys(ports)),
  CONSUL_UPSTREAMS,
  ISTIO_TEMPLATES,
  AMBIENT_REDIRECTION,
])
