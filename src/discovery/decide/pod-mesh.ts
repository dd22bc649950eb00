/**
 * Determines a pod's mesh from its programs and, if the API server has reported the pod, from its containers, labels and
 * annotations. Those are known before the proxy starts, and they name the proxy's ports. Pure.
 */
import { AMBIENT_REDIRECTION, CONSUL_UPSTREAMS, ISTIO_TEMPLATES, PORT_ANNOTATIONS } from '../kubernetes/annotations.ts'
import type { KnownContainer, KnownPod } from '../kubernetes/known-pod.ts'
import { MESH_PORTS, type MeshDecision, type MeshName, type MeshPorts } from '../proc/mesh.ts'
import type { Pod } from '../proc/snapshot.ts'

/** The names that the meshes' injectors give the proxy's container. */
const PROXY_CONTAINERS: Readonly<Record<string, MeshName>> = {
  'istio-proxy': 'istio',
  'linkerd-proxy': 'linkerd',
  'kuma-sidecar': 'kuma',
  'consul-dataplane': 'consul',
  'envoy-sidecar': 'consul',
}

/** Whether a container runs as long as the pod, unlike init and ephemeral containers. */
export const isLasting = ({ role }: KnownContainer): boolean => role === 'app' || role === 'sidecar'

/** Whether a container is a mesh proxy. */
export const isProxy = ({ name }: KnownContainer): boolean => Object.hasOwn(PROXY_CONTAINERS, name)

/** @returns null when it is not in a mesh, as far as is known */
export function meshOf(pod: Pod, known: KnownPod | null): MeshDecision | null {
  if (known === null) return pod.mesh
  const mesh = pod.mesh ?? meshByContainers(known)
  return mesh === null ? null : { ...mesh, ...movedPorts(mesh, known.annotations) }
}

/** Whether the pod is in Istio's ambient mode, by its label or by the annotation that Istio's CNI plugin sets. */
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

/** The mesh's ports, with those that annotations have moved. */
function movedPorts({ name, ownPorts, outboundPorts }: MeshDecision, annotations: KnownPod['annotations']): MeshPorts {
  const moved = new Map<number, number>()
  for (const [annotation, standard] of Object.entries(PORT_ANNOTATIONS[name])) {
    const port = portOf(annotations[annotation])
    if (port !== null) moved.set(standard, port)
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
