/** The record kept of a pod of the API: what is needed to name it, to select it, and to find it in /proc. Pure. */
import { isIP, isIPv6, SocketAddress } from 'node:net'
import { KEPT_ANNOTATIONS } from './annotations.ts'
import { asObject, type JsonObject, listAt, microsAt, objectAt, textAt, textsOf } from './json.ts'
import { guessWorkload, type Owner, type Workload } from './workload.ts'

export interface KnownContainer {
  readonly name: string
  /** sidecar: an init container that keeps running (`restartPolicy: Always`). */
  readonly role: 'app' | 'sidecar' | 'init' | 'ephemeral'
  /** Declared TCP ports, in the order of the pod's specification. */
  readonly ports: readonly number[]
  /** Those of `ports` whose name shows that they serve TLS, such as `https` or `tls-admin`. */
  readonly tlsPorts: readonly number[]
  /** Arguments; only of a mesh's init container, which configures the redirection to the proxy. */
  readonly args: readonly string[]
  /** As in a cgroup path, without the prefix `containerd://`; null: it has not been started. */
  readonly id: string | null
}

/** A pod according to the API server. Immutable: a change creates a new record. */
export interface KnownPod {
  readonly uid: string
  /** The uid in the paths of the node's cgroups. For a static pod it is the hash of its manifest, not the API's uid. */
  readonly cgroupUid: string
  readonly name: string
  readonly namespace: string
  readonly labels: Readonly<Record<string, string>>
  /** Only those in KEPT_ANNOTATIONS. */
  readonly annotations: Readonly<Record<string, string>>
  /** Canonical text (RFC 5952). With the host's network they are the node's addresses. */
  readonly addresses: readonly string[]
  readonly hostAddresses: readonly string[]
  readonly hostNetwork: boolean
  /** Pending, Running, Succeeded, Failed or Unknown. After Succeeded and Failed its addresses may be reassigned. */
  readonly phase: string
  /** When it was created. Times are in microseconds since the Unix epoch; null: unknown. */
  readonly createdMicros: number | null
  /** When the kubelet accepted it, before it had an address. */
  readonly startMicros: number | null
  /** When it will be deleted, grace period included; null: it is not being deleted. */
  readonly deletionMicros: number | null
  readonly containers: readonly KnownContainer[]
  readonly owner: Owner | null
  /** The last owner in the chain of owners; null: it has none. */
  readonly workload: Workload | null
}

/** Init containers that configure the redirection to a mesh's proxy, or check it, with the same arguments. */
const REDIRECTING_CONTAINERS = new Set([
  'istio-init',
  'istio-validation',
  'linkerd-init',
  'linkerd-network-validator',
  'kuma-init',
  'kuma-validation',
])
const TLS_NAME = /^(?:https|tls|ssl)(?:-|$)|-(?:https|tls|ssl)$/

/** A mirror pod's annotation with the uid that its static pod has on the node. */
const STATIC_POD_UID = 'kubernetes.io/config.hash'

/** @returns null when the value is not a pod with a uid */
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
  const kept = Object.entries(textsOf(annotations)).filter(([name]) => KEPT_ANNOTATIONS.has(name))
  return Object.fromEntries(kept)
}

/** The owner reference with `controller: true`, of which there is at most one. */
export function ownerOf(metadata: JsonObject): Owner | null {
  const reference = listAt(metadata, 'ownerReferences')
    .map(asObject)
    .find(({ controller }) => controller === true)
  if (reference === undefined) return null
  const [kind, name] = [textAt(reference, 'kind'), textAt(reference, 'name')]
  return kind === '' || name === '' ? null : { kind, name, apiVersion: textAt(reference, 'apiVersion') }
}

/** Addresses in a pod's status: the list, or the single field of API servers without the list. */
function addressesOf(status: JsonObject, list: string, single: string): string[] {
  const texts = listAt(status, list).map((entry) => textAt(asObject(entry), 'ip'))
  const all = texts.length > 0 ? texts : [textAt(status, single)]
  return [...new Set(all.flatMap((text) => canonicalAddress(text) ?? []))]
}

/** The address in RFC 5952 form; null: the text is not an address. */
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
      const ports = tcpPorts(container)
      const tls = ports.filter((port) => TLS_NAME.test(port.name))
      return {
        name,
        role: roleOf(container),
        ports: ports.map(({ number }) => number),
        tlsPorts: tls.map(({ number }) => number),
        args: REDIRECTING_CONTAINERS.has(name) ? texts(listAt(container, 'args')) : [],
        id: ids.get(name) ?? null,
      }
    })
  return [
    ...read('containers', () => 'app'),
    ...read('initContainers', (container) => (container['restartPolicy'] === 'Always' ? 'sidecar' : 'init')),
    ...read('ephemeralContainers', () => 'ephemeral'),
  ]
}

function tcpPorts(container: JsonObject): { number: number; name: string }[] {
  return listAt(container, 'ports').flatMap((entry) => {
    const port = asObject(entry)
    const number = port['containerPort']
    const isTcp = typeof number === 'number' && (port['protocol'] ?? 'TCP') === 'TCP'
    return isTcp ? [{ number, name: textAt(port, 'name') }] : []
  })
}

/** Most arguments kept of a container, and the most characters of one. */
const MAX_ARGS = 64
const MAX_ARG_LENGTH = 1024

const texts = (values: readonly unknown[]): string[] =>
  values.slice(0, MAX_ARGS).map((value) => (typeof value === 'string' ? value.slice(0, MAX_ARG_LENGTH) : ''))
