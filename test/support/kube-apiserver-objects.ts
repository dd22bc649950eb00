/** Creates objects in the tests' API server that a cluster's controllers, kubelets and administrators would create. */
import { type KubeApiserver, KubeError, type KubeObject } from '../../rig/kube-apiserver.ts'

const RBAC = '/apis/rbac.authorization.k8s.io/v1'

/** A rule of a ClusterRole. */
export interface PolicyRule {
  apiGroups: string[]
  resources: string[]
  verbs: string[]
}

export interface PodSpec {
  name: string
  namespace?: string
  node: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  owner?: { apiVersion: string; kind: string; name: string }
  hostNetwork?: boolean
  /** Merged into the spec of the only container: ports, init containers. */
  spec?: KubeObject
}

/** The status that a kubelet reports. */
export interface PodStatus {
  podIPs: string[]
  hostIP?: string
  phase?: string
  /** Container ids by container name. */
  containers?: Record<string, string>
  initContainers?: Record<string, string>
}

/** Creates a namespace if it does not exist. */
export async function createNamespace(cluster: KubeApiserver, name: string): Promise<void> {
  await unlessThere(cluster.create('/api/v1/namespaces', { metadata: { name } }))
}

export async function createServiceAccount(cluster: KubeApiserver, namespace: string, name: string): Promise<void> {
  await createNamespace(cluster, namespace)
  await unlessThere(cluster.create(`/api/v1/namespaces/${namespace}/serviceaccounts`, { metadata: { name } }))
}

/**
 * Deletes a service account. Its tokens become invalid, at the latest after 10 s, when the API server's cache of them
 * expires.
 */
export async function deleteServiceAccount(cluster: KubeApiserver, namespace: string, name: string): Promise<void> {
  await cluster.delete(`/api/v1/namespaces/${namespace}/serviceaccounts/${name}`)
}

/** Requests a token of the service account through TokenRequest, like a kubelet. */
export async function requestToken(cluster: KubeApiserver, namespace: string, name: string): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`
  const answer = await cluster.create(path, { spec: { expirationSeconds: 3600 } })
  return (answer['status'] as { token: string }).token
}

/** Binds the service account to a ClusterRole with exactly these rules, replacing its previous one. */
export async function grant(
  cluster: KubeApiserver,
  namespace: string,
  name: string,
  rules: PolicyRule[],
): Promise<void> {
  const role = { metadata: { name }, rules }
  const made = await unlessThere(cluster.create(`${RBAC}/clusterroles`, role))
  if (!made) await cluster.replace(`${RBAC}/clusterroles/${name}`, role)
  const binding = {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', namespace, name }],
  }
  await unlessThere(cluster.create(`${RBAC}/clusterrolebindings`, binding))
}

export async function createNode(
  cluster: KubeApiserver,
  name: string,
  podCIDRs: string[] = [],
  internalIP?: string,
): Promise<void> {
  const spec = podCIDRs.length === 0 ? {} : { podCIDR: podCIDRs[0], podCIDRs }
  await cluster.create('/api/v1/nodes', { metadata: { name }, spec })
  if (internalIP === undefined) return
  await cluster.patch(`/api/v1/nodes/${name}/status`, {
    status: { addresses: [{ type: 'InternalIP', address: internalIP }] },
  })
}

const podsOf = (namespace: string): string => `/api/v1/namespaces/${namespace}/pods`

/** Creates a pod that is bound to a node. @returns its uid */
export async function createPod(cluster: KubeApiserver, pod: PodSpec): Promise<string> {
  const owner = pod.owner && { ...pod.owner, uid: `uid-of-${pod.owner.name}`, controller: true }
  const made = await cluster.create(podsOf(pod.namespace ?? 'default'), {
    metadata: {
      name: pod.name,
      labels: pod.labels ?? {},
      annotations: pod.annotations ?? {},
      ...(owner === undefined ? {} : { ownerReferences: [owner] }),
    },
    spec: {
      nodeName: pod.node,
      hostNetwork: pod.hostNetwork ?? false,
      containers: [{ name: 'app', image: 'app' }],
      ...pod.spec,
    },
  })
  return (made['metadata'] as { uid: string }).uid
}

/** Sets the status of a pod, as its kubelet would. */
export async function setPodStatus(
  cluster: KubeApiserver,
  namespace: string,
  name: string,
  status: PodStatus,
): Promise<void> {
  const hostIP = status.hostIP ?? '192.0.2.1'
  await cluster.patch(`${podsOf(namespace)}/${name}/status`, {
    status: {
      phase: status.phase ?? 'Running',
      startTime: new Date().toISOString(),
      hostIP,
      hostIPs: [{ ip: hostIP }],
      podIP: status.podIPs[0] ?? '',
      podIPs: status.podIPs.map((ip) => ({ ip })),
      containerStatuses: containerStatuses(status.containers ?? {}),
      initContainerStatuses: containerStatuses(status.initContainers ?? {}),
    },
  })
}

const containerStatuses = (ids: Record<string, string>): KubeObject[] =>
  Object.entries(ids).map(([name, containerID]) => ({
    name,
    containerID,
    image: 'app',
    imageID: 'app',
    ready: true,
    restartCount: 0,
    state: { running: { startedAt: new Date().toISOString() } },
  }))

export async function deletePod(cluster: KubeApiserver, namespace: string, name: string): Promise<void> {
  await cluster.delete(`${podsOf(namespace)}/${name}`)
}

/** @returns whether it was created */
async function unlessThere(made: Promise<KubeObject>): Promise<boolean> {
  try {
    await made
    return true
  } catch (error) {
    if (error instanceof KubeError && error.status === 409) return false
    throw error
  }
}
