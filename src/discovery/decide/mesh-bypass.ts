/**
 * The traffic that bypasses a pod's mesh proxy, according to the pod's annotations and the arguments of the mesh's init
 * container. This traffic passes the pod's external interface in plaintext, and not its loopback interface. Pure.
 */
import {
  ALL_PORTS,
  mergePortRanges,
  type PortRange,
  parsePortRanges,
  portRangesContain,
  singlePorts,
  subtractPortRanges,
} from '../../net/port-ranges.ts'
import type { Bypass } from '../../target/interface-info.ts'
import {
  AMBIENT_BYPASS_INBOUND,
  BYPASS_ANNOTATIONS,
  CONSUL_TRANSPARENT,
  ISTIO_EXCLUDE_INTERFACES,
  ISTIO_INCLUDE_INBOUND,
  ISTIO_INTERCEPTION,
} from '../kubernetes/annotations.ts'
import type { KnownPod } from '../kubernetes/known-pod.ts'
import type { MeshDecision, MeshName } from '../proc/mesh.ts'
import { type Pod, reachablePorts } from '../proc/snapshot.ts'
import { isLasting } from './pod-mesh.ts'

/** Options of the init containers that exclude inbound ports. Their values include cluster-wide defaults. */
const INIT_OPTIONS: Readonly<Record<MeshName, readonly string[]>> = {
  istio: ['-d', '--istio-local-exclude-ports'],
  linkerd: ['--inbound-ports-to-ignore'],
  kuma: ['--exclude-inbound-ports'],
  consul: [],
}

/** @returns null when nothing bypasses the sidecar, as far as is known */
export function sidecarBypass(pod: Pod, known: KnownPod | null, mesh: MeshDecision): Bypass | null {
  if (known === null) return null
  const { inboundPorts, outboundPorts, outboundNetworks } = BYPASS_ANNOTATIONS[mesh.name]
  const { annotations } = known
  const all = isNotRedirected(known, mesh.name) ? ALL_PORTS : []
  const inbound = [
    ...all,
    ...portsAt(known, inboundPorts),
    ...notIncluded(known, mesh.name),
    ...usedInitPorts(pod, known, mesh),
  ]
  const outbound = [...all, ...portsAt(known, outboundPorts)]
  const proxy = singlePorts([...mesh.ownPorts, ...mesh.outboundPorts])
  const bypass: Bypass = {
    inbound: subtractPortRanges(inbound, proxy),
    outbound: subtractPortRanges(outbound, proxy),
    outboundNetworks: listAt(annotations[outboundNetworks]),
  }
  const isEmpty = bypass.inbound.length + bypass.outbound.length + bypass.outboundNetworks.length === 0
  return isEmpty ? null : bypass
}

/** @returns null when all inbound and outbound traffic passes ztunnel */
export const ambientBypass = (known: KnownPod | null): Bypass | null =>
  known?.annotations[AMBIENT_BYPASS_INBOUND] === 'true'
    ? { inbound: ALL_PORTS, outbound: [], outboundNetworks: [] }
    : null

/** Interfaces whose traffic is not redirected to the sidecar. */
export const excludedInterfaces = (known: KnownPod | null, mesh: MeshName): string[] =>
  mesh === 'istio' ? listAt(known?.annotations[ISTIO_EXCLUDE_INTERFACES]) : []

const isNotRedirected = ({ annotations }: KnownPod, mesh: MeshName): boolean =>
  (mesh === 'istio' && annotations[ISTIO_INTERCEPTION] === 'NONE') ||
  (mesh === 'consul' && annotations[CONSUL_TRANSPARENT] === 'false')

/** Istio can redirect listed inbound ports only. */
function notIncluded({ annotations }: KnownPod, mesh: MeshName): PortRange[] {
  const included = annotations[ISTIO_INCLUDE_INBOUND]
  if (mesh !== 'istio' || included === undefined || included.trim() === '*') return []
  return subtractPortRanges(ALL_PORTS, parsePortRanges(included))
}

/**
 * Ports that the init container excludes and that the pod uses. By default a mesh excludes well-known ports of every pod;
 * those alone are no reason to capture another interface.
 */
function usedInitPorts(pod: Pod, { containers }: KnownPod, { name }: MeshDecision): PortRange[] {
  const options = INIT_OPTIONS[name]
  const values = containers.flatMap(({ args }) =>
    args.flatMap((arg, index) => optionValue(options, arg, args[index + 1])),
  )
  const excluded = mergePortRanges(values.flatMap(parsePortRanges))
  const declared = containers.filter(isLasting).flatMap(({ ports }) => ports)
  return singlePorts([...reachablePorts(pod), ...declared].filter((port) => portRangesContain(excluded, port)))
}

/** The value of `--option value` and `--option=value`. */
function optionValue(options: readonly string[], arg: string, next = ''): string[] {
  if (options.includes(arg)) return [next]
  const equals = arg.indexOf('=')
  return equals > 0 && options.includes(arg.slice(0, equals)) ? [arg.slice(equals + 1)] : []
}

const portsAt = ({ annotations }: KnownPod, name: string): PortRange[] => parsePortRanges(annotations[name] ?? '')

const listAt = (text = ''): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
