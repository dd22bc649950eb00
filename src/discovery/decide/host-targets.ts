/**
 * Decides what is captured on the host itself: all of its interfaces once, for all pods that share them, or the interfaces
 * that are configured by name. Restricted to packets from or to the host's own addresses, because pods' traffic passes
 * through these interfaces too. Pure.
 */
import type { EndpointPod } from '../../pair/endpoint-pod.ts'
import type { CaptureTarget } from '../../target/capture-target.ts'
import { type Host, reachablePorts } from '../proc/snapshot.ts'
import type { PodDecision, TargetRules } from './decision.ts'
import { endpointOf } from './endpoint.ts'
import { isLasting } from './pod-mesh.ts'

/** Captures all interfaces of a namespace. */
const ANY = 'any'
/** Most addresses of the host, and most excluded ports, in the kernel filter. */
const MAX_ADDRESSES = 64
const MAX_PORTS = 256

/** @returns empty if no pod with the host's network is captured and no interface is configured */
export function hostTargets(host: Host, pods: readonly PodDecision[], rules: TargetRules): CaptureTarget[] {
  const onHost = pods.filter(({ pod }) => pod.hostNetwork)
  const captured = onHost.filter(({ captures }) => captures.length > 0)
  const devices = captured.length > 0 || rules.hostInterfaces.includes(ANY) ? [ANY] : [...new Set(rules.hostInterfaces)]
  if (host.allAddresses.length === 0) return []
  const listeners = listenersOf(captured)
  const leftOut = onHost.filter(({ captures }) => captures.length === 0).flatMap(portsOf)
  const unwanted = [...new Set(leftOut)].filter((port) => !isServed(port, captured))
  const ports = [...rules.excludePorts, ...(rules.adminPort === null ? [] : [rules.adminPort]), ...unwanted]
  // Configured interfaces are usually the targets of port mirrors, which arrive in tunnels.
  const tunnels = rules.hostInterfaces.length > 0
  const addresses = host.allAddresses.slice(0, MAX_ADDRESSES)
  return devices.map((device) => ({
    key: `${host.netns}/${device}`,
    device,
    netns: rules.own.netns === host.netns ? null : { path: `${rules.procRoot}/1/ns/net`, inode: host.netns },
    info: {
      name: device,
      vantage: 'host',
      mesh: null,
      vantagePoint: {
        scope: 'host',
        pod: null,
        addresses,
        outboundPorts: [],
        listeners,
        hopLimit: host.hopLimit,
        tunnels,
        bypass: null,
      },
    },
    excludePorts: [...new Set(ports)].slice(0, MAX_PORTS),
    onlyPorts: null,
    onlyAddresses: addresses,
    tunnels,
    labels: { namespace: '', pod: '' },
  }))
}

/** Ports that a pod's processes listen on, and ports that its containers declare. */
function portsOf({ pod, known }: PodDecision): number[] {
  const lasting = known?.containers.filter(isLasting) ?? []
  return [...reachablePorts(pod), ...lasting.flatMap(({ ports }) => ports)]
}

const isServed = (port: number, captured: readonly PodDecision[]): boolean =>
  captured.some((decision) => portsOf(decision).includes(port))

/** Pods by their ports. A listening socket takes precedence over a declared port. */
function listenersOf(captured: readonly PodDecision[]): Record<string, EndpointPod> {
  const listeners: Record<string, EndpointPod> = {}
  for (const decision of captured) {
    for (const port of portsOf(decision)) listeners[port] ??= endpointOf(decision.pod, decision.known)
  }
  for (const { pod, known } of captured)
    for (const port of reachablePorts(pod)) listeners[port] = endpointOf(pod, known)
  return listeners
}
