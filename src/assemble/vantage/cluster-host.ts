/**
 * Decides whether a Host field names a service inside the cluster (Kubernetes, "DNS for Services and Pods"), for pods whose
 * sidecar hides the server's address.
 */
import { isIP } from 'node:net'
import { addressWords, type Networks } from './network-set.ts'

/**
 * `api`, `api.shop` where `shop` is a namespace, `api.shop.svc`, `api.shop.svc.cluster.local`, and addresses in the
 * cluster's networks are inside; any other name, and none at all, is not known to be.
 *
 * @param value of the Host field, with or without a port
 */
export function isClusterHost(value: string, networks: Networks, isNamespace: (name: string) => boolean): boolean {
  const host = withoutPort(value.trim()).toLowerCase().replace(/\.$/, '')
  if (host === '' || host === 'localhost') return false
  if (isIP(host) !== 0) return networks.contains(addressWords(host))
  const labels = host.split('.')
  if (labels.length === 1 || labels.at(-1) === 'svc' || labels.includes('svc', 2)) return true
  if (host.endsWith('.cluster.local')) return true
  return labels.length === 2 && isNamespace(labels[1])
}

function withoutPort(host: string): string {
  const literal = /^\[([^\]]*)\]/.exec(host)
  if (literal !== null) return literal[1]
  return isIP(host) === 6 ? host : host.replace(/:\d*$/, '')
}
