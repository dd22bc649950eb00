/**
 * Decides on which interfaces a pod's traffic can be read in plaintext, so that every exchange passes exactly one of them.
 * docs/discovery.md has the rules. Pure.
 */
import { globMatcher } from '../../config/glob.ts'
import type { Bypass } from '../../target/interface-info.ts'
import { DAPR_ENABLED, INTERFACES_ANNOTATION } from '../kubernetes/annotations.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import { DAPR_SIDECAR } from '../proc/describe-pod.ts'
import { MESH_PORTS, MESH_TITLES, type MeshDecision } from '../proc/mesh.ts'
import { type Pod, reachablePorts, type Snapshot } from '../proc/snapshot.ts'
import type { CapturePoint, InterfaceRule, PlacementReason, PodFacts } from './decision.ts'
import { ambientBypass, excludedInterfaces, sidecarBypass } from './mesh-bypass.ts'
import { isLasting } from './pod-mesh.ts'

/** A pod's capture points, and why they were chosen. */
export interface Placement {
  /** Empty: none of the interfaces exists. */
  readonly points: readonly CapturePoint[]
  readonly reason: PlacementReason
  /** A sentence without a full stop. */
  readonly why: string
}

/**
 * Decides by the first of these that applies: the pod's annotation, a rule, its sidecar, ztunnel; otherwise by its
 * interfaces.
 */
export function placePod(
  facts: PodFacts,
  snapshot: Pick<Snapshot, 'host' | 'ambient'>,
  rules: readonly InterfaceRule[],
): Placement {
  if (facts.pod.hostNetwork) return placeOnHost(snapshot)
  const { mesh } = facts
  return (
    placeByAnnotation(facts) ??
    placeByRule(facts, rules) ??
    (mesh?.role === 'sidecar' ? placeBesideSidecar(facts, mesh) : null) ??
    (isRedirectedToZtunnel(facts) ? placeBesideZtunnel(facts) : null) ??
    placeOrdinary(facts, snapshot)
  )
}

const NO_INTERFACE: Placement = {
  points: [],
  reason: 'interface',
  why: 'no interface except loopback has an address or a route',
}

function placeOnHost({ host }: Pick<Snapshot, 'host'>): Placement {
  if (host.allAddresses.length === 0) return NO_INTERFACE
  const points: CapturePoint[] = [{ ...podPoint('any'), scope: 'host' }]
  return { points, reason: 'host', why: 'host network: the host’s interfaces are captured once for all pods' }
}

function placeByAnnotation(facts: PodFacts): Placement | null {
  const text = facts.known?.annotations[INTERFACES_ANNOTATION]?.trim() ?? ''
  if (text === '') return null
  const names = text.split(',').map((name) => name.trim())
  return placeAt(facts, names, 'annotation', `annotation ${INTERFACES_ANNOTATION} is ${text}`)
}

function placeByRule(facts: PodFacts, rules: readonly InterfaceRule[]): Placement | null {
  const { known } = facts
  const rule = known === null ? undefined : rules.find(({ matches }) => matches(known))
  if (rule === undefined) return null
  return placeAt(facts, rule.interfaces, 'rule', `targets.interfaces chooses ${rule.interfaces.join(',')}`)
}

/**
 * The chosen interfaces that exist. `lo` is loopback, `pod` the external interface, anything else a name or a glob that does
 * not match `lo`.
 */
function placeAt(facts: PodFacts, chosen: readonly string[], reason: 'annotation' | 'rule', choice: string): Placement {
  const { external, interfaces } = facts.pod
  const names = chosen.map((name) => (name === 'pod' && external !== null ? external.name : name))
  const matching = (name: string): readonly string[] => {
    if (name === 'lo') return interfaces.filter((other) => other === 'lo')
    const isChosen = globMatcher([name])
    return interfaces.filter((other) => other !== 'lo' && isChosen(other))
  }
  const found = new Set(names.flatMap(matching))
  const missing = names.filter((name) => matching(name).length === 0)
  const why = missing.length === 0 ? choice : `${choice}; not found: ${missing.join(', ')}`
  return { points: [...found].map((name) => (name === 'lo' ? loopbackPoint(facts) : podPoint(name))), reason, why }
}

function placeBesideSidecar(facts: PodFacts, mesh: MeshDecision): Placement {
  const { pod, known } = facts
  const bypass = sidecarBypass(pod, known, mesh)
  const excluded = excludedInterfaces(known, mesh.name).filter((name) => pod.interfaces.includes(name))
  const why = [`${MESH_TITLES[mesh.name]} sidecar: traffic is in plaintext on loopback`]
  const points = [loopbackPoint(facts), ...excluded.map((name) => podPoint(name))]
  if (bypass !== null && pod.external !== null && !excluded.includes(pod.external.name)) {
    points.push(podPoint(pod.external.name, bypass))
    why.push(`some ports bypass the sidecar on ${pod.external.name}`)
  }
  if (excluded.length > 0) why.push(`${excluded.join(', ')} excluded from the mesh`)
  return { points, reason: 'loopback', why: why.join('; ') }
}

/** ztunnel's port for HBONE, and the port to which plaintext from outside of the mesh is redirected. */
const ZTUNNEL_HBONE = 15008
const ZTUNNEL_PLAINTEXT = 15006

/** Whether ztunnel has opened its sockets in the pod's network namespace (Istio's in-pod redirection). */
export const isRedirectedToZtunnel = ({ pod, mesh }: Pick<PodFacts, 'pod' | 'mesh'>): boolean =>
  mesh === null && pod.listeners.some(({ port }) => port === ZTUNNEL_HBONE)

/**
 * All TCP traffic of the application passes ztunnel's sockets, and loopback between them and the application. Without the
 * socket for plaintext, what comes from outside of the mesh is not redirected and passes the external interface.
 */
function placeBesideZtunnel(facts: PodFacts): Placement {
  const { pod, known } = facts
  const why = ['Istio ambient: ztunnel’s sockets are in the pod, traffic is in plaintext on loopback']
  const points = [loopbackPoint(facts)]
  const redirectsAll = pod.listeners.some(({ port }) => port === ZTUNNEL_PLAINTEXT)
  const bypass = ambientBypass(known)
  if (pod.external !== null && (!redirectsAll || bypass !== null)) {
    const { ownPorts } = MESH_PORTS.istio
    points.push(podPoint(pod.external.name, redirectsAll ? bypass : null, ownPorts))
    why.push(`traffic that bypasses ztunnel passes ${pod.external.name}`)
  }
  return { points, reason: 'loopback', why: why.join('; ') }
}

function placeOrdinary(facts: PodFacts, snapshot: Pick<Snapshot, 'ambient'>): Placement {
  const { pod } = facts
  if (pod.external === null) return NO_INTERFACE
  const { name, by } = pod.external
  const route = by === 'default-route' ? 'its default route' : 'no default route: the first interface in use'
  const why = [meshReason(facts, snapshot), route]
  const mesh = facts.mesh?.name ?? (facts.ambient ? 'istio' : null)
  const points = [name, ...pod.further].map((device) => ({ ...podPoint(device), mesh }))
  if (pod.further.length > 0) why.push(`further interfaces: ${pod.further.join(', ')}`)
  const inside = loopbackReason(facts)
  if (inside !== null) {
    points.push(loopbackPoint(facts))
    why.push(inside)
  }
  return { points, reason: 'interface', why: why.join('; ') }
}

/** The mesh of a pod whose traffic is captured on its external interface. */
function meshReason({ mesh, ambient, known }: PodFacts, snapshot: Pick<Snapshot, 'ambient'>): string {
  if (mesh !== null) return `${MESH_TITLES[mesh.name]} gateway without an application`
  if (ambient) return 'Istio ambient without ztunnel’s sockets in the pod: HBONE is encrypted and counted as TLS'
  if (known !== null || !snapshot.ambient) return 'no mesh'
  return 'no sidecar; ztunnel runs here: in Istio’s ambient mode, traffic through the mesh is counted as TLS'
}

/** Programs that terminate TLS and do little else. */
const TLS_PROGRAMS = new Set(['ghostunnel', 'stunnel', 'stunnel4', 'stunnel5', 'hitch', 'stud', 'kube-rbac-proxy'])
/** Ports that end in 443 serve TLS by convention: 443, 8443, 9443, 10443. */
const isTlsPort = (port: number): boolean => port % 1000 === 443
/** Ports that by convention serve plaintext HTTP. */
const PLAINTEXT_PORTS = new Set([80, 81, 3000, 4180, 5000, 8000, 8008, 8080, 8081, 8088, 8888])

/**
 * Why a pod without a mesh is captured on loopback as well; null: it is not. Between a sidecar that terminates TLS and its
 * application, and between Dapr's sidecar and its application, traffic is in plaintext on loopback only. A sidecar that
 * accepts plaintext is not captured there: its exchanges pass the external interface.
 */
function loopbackReason({ pod, known, mesh }: PodFacts): string | null {
  if (mesh !== null) return null
  if (hasDapr(pod, known)) return 'Dapr sidecar: it and the application exchange plaintext on loopback'
  const lasting = known?.containers.filter(isLasting) ?? []
  if (Math.max(pod.containers.length, lasting.length) < 2) return null
  const ports = reachablePorts(pod)
  const terminator = pod.containers.find(({ process }) => TLS_PROGRAMS.has(process))
  if (terminator !== undefined) return `${terminator.process} terminates TLS: its plaintext is on loopback`
  const tls = ports.find(isTlsPort) ?? lasting.flatMap(({ tlsPorts }) => tlsPorts)[0]
  if (tls !== undefined) return `port ${tls} serves TLS by convention: its plaintext may be on loopback`
  const inner = pod.listeners.find(({ loopbackOnly }) => loopbackOnly)
  if (inner === undefined || ports.length === 0 || ports.some((port) => PLAINTEXT_PORTS.has(port))) return null
  return `port ${inner.port} is reachable on loopback only`
}

const hasDapr = ({ containers }: Pod, known: KnownPod | null): boolean =>
  containers.some(({ process }) => process === DAPR_SIDECAR) ||
  known?.annotations[DAPR_ENABLED] === 'true' ||
  (known?.containers.some((container) => isLasting(container) && container.name === DAPR_SIDECAR) ?? false)

/** Without the proxy's own ports: the requests there arrive encrypted, or are sent on to the application and seen there. */
function loopbackPoint(facts: PodFacts): CapturePoint {
  const sidecar = facts.mesh?.role === 'sidecar' ? facts.mesh : null
  const proxy = sidecar ?? (isRedirectedToZtunnel(facts) ? { name: 'istio' as const, ...MESH_PORTS.istio } : null)
  return {
    scope: 'loopback',
    interface: 'lo',
    mesh: proxy?.name ?? null,
    excludePorts: proxy?.ownPorts ?? [],
    outboundPorts: proxy?.outboundPorts ?? [],
    bypass: null,
  }
}

/** An external interface, whose traffic does not pass a mesh's proxy in plaintext. */
const podPoint = (name: string, bypass: Bypass | null = null, excludePorts: readonly number[] = []): CapturePoint => ({
  scope: 'pod',
  interface: name,
  mesh: null,
  excludePorts,
  outboundPorts: [],
  bypass,
})
