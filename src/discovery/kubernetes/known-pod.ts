/** What is kept of a pod of the API: enough to name it, to choose it, and to find it in the host's /proc. Pure. */
import { isIP, isIPv6, SocketAddress } from 'node:net'
import { MESH_ANNOTATIONS } from '../decide/pod-mesh.ts'
import { asObject, type JsonObject, listAt, microsAt, objectAt, textAt, textsOf } from './json.ts'
import { guessWorkload, type Owner, type Workload } from './workload.ts'

export interface KnownContainer {
  readonly name: string
  /** sidecar: an init container that goes on running (`restartPolicy: Always`). */
  readonly role: 'app' | 'sidecar' | 'init' | 'ephemeral'
  /** TCP ports it declares, in the order of the pod's specification. */
  readonly ports: readonly number[]
  /** As in a cgroup's path, without `containerd://` before it; null: it has not been started. */
  readonly id: string | null
}

/** A pod as the API server describes it. Immutable: a change makes a new record. */
export interface KnownPod {
  readonly uid: string
  /** The uid in the paths of the node's cgroups: a static pod's is not the API's, but the hash of its file. */
  readonly cgroupUid: string
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  /** Only those that decide over capture: `interceptor.dev/capture` and what meshes set. */
  readonly annotations: Readonly<Record<string, string>>
  /** Its addresses, canonical text (RFC 5952). With the host's network they are the node's. */
  readonly addresses: readonly string[]
  readonly hostAddresses: readonly string[]
  readonly hostNetwork: boolean
  /** Pending, Running, Succeeded, Failed or Unknown; after the last two its addresses may be another's. */
  readonly phase: string
  /** When the API server was told to make it. Times are in microseconds since the Unix epoch; null: not known. */
  readonly createdMicros: number | null
  /** When the node took it up, before it had an address. */
  readonly startMicros: number | null
  /** By when it has been told to be gone, its time of grace included; null: it has not. */
  readonly deletionMicros: number | null
  readonly containers: readonly KnownContainer[]
  readonly owner: Owner | null
  /** What it belongs to at the end of the chain of owners; null: to nothing. */
  readonly workload: Workload | null
}

/** Annotations that are kept. */
const ANNOTATIONS = new Set([
  ...MESH_ANNOTATIONS,
  'interceptor.dev/capture',
  'sidecar.istio.io/inject',
  'sidecar.istio.io/status',
  'ambient.istio.io/redirection',
  'linkerd.io/inject',
  'linkerd.io/proxy-version',
  'consul.hashicorp.com/connect-inject',
  'consul.hashicorp.com/connect-inject-status',
  'kuma.io/sidecar-injected',
])
/** A mirror pod has the uid its static pod has on the node in this. */
const STATIC_POD_UID = 'kubernetes.io/config.hash'

/** @returns null when it is no pod with a uid */
export function readPod(value: unknown): KnownPod | null {
  const pod = asObject(value)
  const [metadata, spec, status] = [objectAt(pod, 'metadata'), objectAt(pod, 'spec'), objectAt(pod, 'status')]
  const uid = textAt(metadata, 'uid')
  if (uid === '') return null
  const annotations = objectAt(metadata, 'annotations')
  const labels = textsOf(objectAt(metadata, 'labels'))
  const owner = ownerOf(metadata)
  const createdMicros = microsAt(metadata, 'creationTimestamp')
  const { workload } = guessWorkload({ owner, labels, createdMicros })
  return {
    uid,
    cgroupUid: textAt(annotations, STATIC_POD_UID) || uid,
    name: textAt(metadata, 'name'),
    namespace: textAt(metadata, 'namespace'),
    labels,
    annotations: pick(annotations),
    addresses: addressesOf(status, 'podIPs', 'podIP'),
    hostAddresses: addressesOf(status, 'hostIPs', 'hostIP'),
    hostNetwork: spec['hostNetwork'] === true,
    phase: textAt(status, 'phase') || 'Unknown',
    createdMicros,
    startMicros: microsAt(status, 'startTime'),
    deletionMicros: microsAt(metadata, 'deletionTimestamp'),
    containers: containersOf(spec, status),
    owner,
    workload,
  }
}

function pick(annotations: JsonObject): Record<string, string> {
  const kept = Object.entries(textsOf(annotations)).filter(([name]) => ANNOTATIONS.has(name))
  return Object.fromEntries(kept)
}

/** The owner that controls an object: at most one does. */
export function ownerOf(metadata: JsonObject): Owner | null {
  const reference = listAt(metadata, 'ownerReferences')
    .map(asObject)
    .find(({ controller }) => controller === true)
  if (reference === undefined) return null
  const [kind, name] = [textAt(reference, 'kind'), textAt(reference, 'name')]
  return kind === '' || name === '' ? null : { kind, name, apiVersion: textAt(reference, 'apiVersion') }
}

/** A pod's addresses of a status: the list, or the one of clusters that know no list. */
function addressesOf(status: JsonObject, list: string, single: string): string[] {
  const texts = listAt(status, list).map((entry) => textAt(asObject(entry), 'ip'))
  const all = texts.length > 0 ? texts : [textAt(status, single)]
  return [...new Set(all.flatMap((text) => canonicalAddress(text) ?? []))]
}

/** The text of RFC 5952, which is what is on the wire written down; null: no address. */
export function canonicalAddress(text: string): string | null {
  if (isIP(text) === 0 || text.includes('%')) return null
  return isIPv6(text) ? new SocketAddress({ address: text, family: 'ipv6' }).address : text
}

function containersOf(spec: JsonObject, status: JsonObject): KnownContainer[] {
  const ids = new Map<string, string>()
  for (const list of ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses']) {
    for (const entry of listAt(status, list)) {
      const container = asObject(entry)
      const id = textAt(container, 'containerID').replace(/^[^:]*:\/\//, '')
      if (id !== '') ids.set(textAt(container, 'name'), id)
    }
  }
  const read = (list: string, roleOf: (container: JsonObject) => KnownContainer['role']): KnownContainer[] =>
    listAt(spec, list).map((entry) => {
      const container = asObject(entry)
      const name = textAt(container, 'name')
      return { name, role: roleOf(container), ports: tcpPorts(container), id: ids.get(name) ?? null }
    })
  return [
    ...read('containers', () => 'app'),
    ...read('initContainers', (container) => (container['restartPolicy'] === 'Always' ? 'sidecar' : 'init')),
    ...read('ephemeralContainers', () => 'ephemeral'),
  ]
}

function tcpPorts(container: JsonObject): number[] {
  return listAt(container, 'ports').flatMap((entry) => {
    const port = asObject(entry)
    const number = port['containerPort']
    return typeof number === 'number' && (port['protocol'] ?? 'TCP') === 'TCP' ? [number] : []
  })
}
