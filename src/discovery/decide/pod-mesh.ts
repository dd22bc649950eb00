/**
 * A pod's mesh by everything that is known of it: its programs, and, where the API server tells, its containers, labels
 * and annotations, which are there before the proxy has started, and which say what ports it was given. Pure.
 */
import type { KnownContainer, KnownPod } from '../kubernetes/known-pod.ts'
import { MESH_PORTS, type MeshDecision, type MeshName, type MeshPorts } from '../proc/mesh.ts'
import type { Pod } from '../proc/snapshot.ts'

/** Names that the meshes' injectors give the proxy's container. */
const PROXY_CONTAINERS: Readonly<Record<string, MeshName>> = {
  'istio-proxy': 'istio',
  'linkerd-proxy': 'linkerd',
  'kuma-sidecar': 'kuma',
  'consul-dataplane': 'consul',
  'envoy-sidecar': 'consul',
}

/** Annotations that move a port of the proxy, each with the port it has otherwise. */
const PORT_ANNOTATIONS: Readonly<Record<MeshName, Readonly<Record<string, number>>>> = {
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

/** Consul: `name:port`, `name:port:datacenter`, separated by commas. Applications send to these ports on loopback. */
const CONSUL_UPSTREAMS = 'consul.hashicorp.com/connect-service-upstreams'
/** Istio: which templates were injected; those of gRPC have an agent without a proxy. */
const ISTIO_TEMPLATES = 'inject.istio.io/templates'

/** What Istio's network plug-in notes on a pod of the ambient mode. */
const AMBIENT_REDIRECTION = 'ambient.istio.io/redirection'

/** Every annotation that plays a part here. */
export const MESH_ANNOTATIONS: readonly string[] = [
  ...Object.values(PORT_ANNOTATIONS).flatMap((ports) => Object.keys(ports)),
  CONSUL_UPSTREAMS,
  ISTIO_TEMPLATES,
  AMBIENT_REDIRECTION,
]

/** Whether a container runs beside the others, as those that prepare the pod or look into it do not. */
export const isLasting = ({ role }: KnownContainer): boolean => role === 'app' || role === 'sidecar'

/** Whether a container is a mesh's proxy. */
export const isProxy = ({ name }: KnownContainer): boolean => Object.hasOwn(PROXY_CONTAINERS, name)

/** @returns null when it is in no mesh, as far as is known */
export function meshOf(pod: Pod, known: KnownPod | null): MeshDecision | null {
  if (known === null) return pod.mesh
  const told = pod.mesh ?? meshByContainers(known)
  return told === null ? null : { ...told, ...movedPorts(told, known.annotations) }
}

/** Whether the pod is in Istio's ambient mode: by its label, or by what Istio's network plug-in notes on it. */
export function isAmbient({ labels, annotations }: KnownPod): boolean {
  const mode = labels['istio.io/dataplane-mode']
  return mode === 'ambient' || (mode !== 'none' && annotations[AMBIENT_REDIRECTION] === 'enabled')
}

function meshByContainers({ containers, annotations }: KnownPod): MeshDecision | null {
  const lasting = containers.filter(isLasting)
  const proxy = lasting.find(isProxy)
  if (proxy === undefined) return null
  const name = PROXY_CONTAINERS[proxy.name]
  if (name === 'istio' && /\bgrpc-/.test(annotations[ISTIO_TEMPLATES] ?? '')) return null
  return { name, role: lasting.every(isProxy) ? 'gateway' : 'sidecar', ...MESH_PORTS[name] }
}

function movedPorts({ name, ownPorts, outboundPorts }: MeshDecision, annotations: KnownPod['annotations']): MeshPorts {
  const moved = new Map<number, number>()
  for (const [annotation, usual] of Object.entries(PORT_ANNOTATIONS[name])) {
    const port = portOf(annotations[annotation])
    if (port !== null) moved.set(usual, port)
  }
  const upstreams = name === 'consul' ? (annotations[CONSUL_UPSTREAMS] ?? '') : ''
  const explicit = upstreams.split(',').flatMap((upstream) => portOf(upstream.split(':')[1]) ?? [])
  const current = (port: number): number => moved.get(port) ?? port
  return { ownPorts: ownPorts.map(current), outboundPorts: [...outboundPorts.map(current), ...explicit] }
}

function portOf(text: string | undefined): number | null {
  const port = Number(text?.trim() || Number.NaN)
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : null
}
