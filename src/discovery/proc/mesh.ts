/**
 * Detects a pod's service mesh from the programs that run in it. In a pod with a sidecar proxy, traffic is in plaintext
 * on the loopback interface, between the application and the proxy. Pure.
 */
import type { ProcessFacts } from './process.ts'

export type MeshName = 'istio' | 'linkerd' | 'consul' | 'kuma'

/** A mesh proxy in a pod. */
export interface MeshDecision {
  readonly name: MeshName
  /** sidecar: beside an application; gateway: without one, so its loopback carries no application traffic. */
  readonly role: 'sidecar' | 'gateway'
  /**
   * TCP ports of the proxy that carry no application traffic of their own: administration, health, metrics, DNS, and
   * the inbound port, whose requests the proxy sends to the application over loopback.
   */
  readonly ownPorts: readonly number[]
  /** TCP ports on which the proxy accepts the application's outgoing requests in plaintext: the client's vantage. */
  readonly outboundPorts: readonly number[]
}

type Program = Pick<ProcessFacts, 'name' | 'command' | 'cgroup'>

interface Mesh {
  readonly name: MeshName
  /** Whether the program is this mesh's proxy or starts it. */
  readonly owns: (program: Program) => boolean
  /** Whether all programs of this mesh's proxy are running. */
  readonly complete: (programs: readonly Program[]) => boolean
  /** The role according to the command lines; null: unknown. */
  readonly role: (programs: readonly Program[]) => MeshDecision['role'] | null
}

/** A mesh's default ports. */
export type MeshPorts = Pick<MeshDecision, 'ownPorts' | 'outboundPorts'>

export const MESH_PORTS: Readonly<Record<MeshName, MeshPorts>> = {
  istio: {
    // Administration, debug, inbound, HBONE, merged metrics, health, DNS, Envoy's metrics.
    ownPorts: [15000, 15004, 15006, 15008, 15020, 15021, 15053, 15090],
    outboundPorts: [15001],
  },
  linkerd: {
    // Inbound, control, administration.
    ownPorts: [4143, 4190, 4191],
    outboundPorts: [4140],
  },
  kuma: {
    // Metrics, administration, readiness, inbound, inbound IPv6, DNS.
    ownPorts: [5680, 9901, 9902, 15006, 15010, 15053],
    outboundPorts: [15001],
  },
  consul: {
    // Administration, inbound, merged metrics, lifecycle, readiness.
    ownPorts: [19000, 20000, 20200, 20600, 21000],
    outboundPorts: [15001],
  },
}

const named = (...names: string[]) => {
  return ({ name }: Program) => names.includes(name)
}

/** `pilot-agent proxy sidecar`, `pilot-agent proxy router`, `pilot-agent proxy waypoint`. */
const istioRole = (programs: readonly Program[]): MeshDecision['role'] =>
  programs.some(({ command }) => /pilot-agent proxy (?:router|waypoint)\b/.test(command)) ? 'gateway' : 'sidecar'

/** `kuma-dp run --proxy-type=ingress`, `=egress`. */
const kumaRole = (programs: readonly Program[]): MeshDecision['role'] | null =>
  programs.some(({ command }) => /--proxy-type[= ](?:ingress|egress)\b/.test(command)) ? 'gateway' : null

const hasEnvoy = (programs: readonly Program[]): boolean => programs.some(named('envoy'))

/** In the order of detection. Envoy alone is not a mesh: the program beside it identifies the mesh. */
const MESHES: readonly Mesh[] = [
  {
    name: 'istio',
    owns: named('pilot-agent', 'envoy'),
    complete: (programs) => programs.some(named('pilot-agent')) && hasEnvoy(programs),
    role: istioRole,
  },
  {
    name: 'linkerd',
    owns: named('linkerd2-proxy', 'linkerd2-proxy-identity'),
    complete: (programs) => programs.some(named('linkerd2-proxy')),
    role: () => 'sidecar',
  },
  {
    name: 'kuma',
    owns: named('kuma-dp', 'envoy', 'coredns'),
    complete: (programs) => programs.some(named('kuma-dp')) && hasEnvoy(programs),
    role: kumaRole,
  },
  {
    name: 'consul',
    owns: (program) => named('consul-dataplane', 'envoy-sidecar', 'envoy')(program),
    complete: (programs) => programs.some(isConsulProxy),
    role: () => null,
  },
]

/**
 * consul-dataplane starts Envoy; before 1.0 `consul connect envoy` executed Envoy with a bootstrap file below /consul.
 */
function isConsulProxy({ name, command }: Program): boolean {
  if (name === 'consul-dataplane' || name === 'envoy-sidecar') return true
  return name === 'envoy' && command.includes('/consul/')
}

/** Names of the meshes in messages. */
export const MESH_TITLES: Readonly<Record<MeshName, string>> = {
  istio: 'Istio',
  linkerd: 'Linkerd',
  consul: 'Consul',
  kuma: 'Kuma',
}

/**
 * @param programs the pod's processes without its pause container
 * @returns null when no mesh proxy runs in it
 */
export function decideMesh(programs: readonly Program[]): MeshDecision | null {
  for (const { name, owns, complete, role } of MESHES) {
    if (!complete(programs)) continue
    return { name, ...MESH_PORTS[name], role: role(programs) ?? roleByNeighbours(programs, owns) }
  }
  return null
}

/** Ids of the containers of the pod's mesh proxy; empty without a mesh. @param programs as for decideMesh */
export function proxyContainers(programs: readonly Program[]): ReadonlySet<string | null> {
  const mesh = MESHES.find(({ complete }) => complete(programs))
  const owned = mesh === undefined ? [] : programs.filter(mesh.owns)
  return new Set(owned.map(({ cgroup }) => cgroup.containerId))
}

/** A proxy is a gateway if every container of the pod is the proxy's. */
function roleByNeighbours(programs: readonly Program[], owns: Mesh['owns']): MeshDecision['role'] {
  const proxies = new Set(programs.filter(owns).map(({ cgroup }) => cgroup.containerId))
  return programs.every(({ cgroup }) => proxies.has(cgroup.containerId)) ? 'gateway' : 'sidecar'
}
