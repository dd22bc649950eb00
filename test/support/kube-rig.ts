/** A real API server for the nodes of a test, with the agents' service account, and with pods on NodeRigs. */

import { KubeApiserver } from '../../rig/kube-apiserver.ts'
import type { NodeRig, RigPod } from '../../rig/node-rig.ts'
import { AgentFiles, PODS_RULE } from '../discovery/kubernetes/rig.ts'
import { createNode, createPod, deletePod, type PodSpec, setPodStatus } from './kube-apiserver-objects.ts'

/** The rules of the agent's ClusterRole. */
const RULES = [
  PODS_RULE,
  { apiGroups: [''], resources: ['nodes'], verbs: ['list'] },
  { apiGroups: ['networking.k8s.io'], resources: ['servicecidrs'], verbs: ['list'] },
  { apiGroups: [''], resources: ['services'], verbs: ['list', 'watch'] },
]

export class KubeRig {
  readonly cluster: KubeApiserver
  readonly #files: AgentFiles

  private constructor(cluster: KubeApiserver, files: AgentFiles) {
    this.cluster = cluster
    this.#files = files
  }

  /** @param nodes pod networks of the nodes, by name */
  static async start(nodes: Record<string, string[]>): Promise<KubeRig> {
    const cluster = await KubeApiserver.start()
    try {
      const files = await AgentFiles.create(cluster, RULES)
      for (const [name, networks] of Object.entries(nodes)) await createNode(cluster, name, networks)
      return new KubeRig(cluster, files)
    } catch (error) {
      await cluster.remove()
      throw error
    }
  }

  /** Settings of an agent on that node. */
  settings(node: string): string[] {
    return ['kubernetes.enabled=true', `kubernetes.kubeconfig=${this.#files.kubeconfig}`, `node.name=${node}`]
  }

  /** Creates a pod in the API and on the node, with its status. @param host as in PodOptions */
  async pod(rig: NodeRig, spec: PodSpec, host?: number): Promise<RigPod> {
    const uid = await createPod(this.cluster, spec)
    const pod = rig.pod({ uid, hostNetwork: spec.hostNetwork === true, ...(host === undefined ? {} : { host }) })
    await setPodStatus(this.cluster, 'default', spec.name, { podIPs: [...pod.addresses] })
    return pod
  }

  /** Changes a pod's annotations or labels. */
  async change(
    name: string,
    metadata: { annotations?: Record<string, string>; labels?: Record<string, string> },
  ): Promise<void> {
    await this.cluster.patch(`/api/v1/namespaces/default/pods/${name}`, { metadata })
  }

  async deletePods(): Promise<void> {
    const { items } = (await this.cluster.get('/api/v1/namespaces/default/pods')) as {
      items: { metadata: { name: string } }[]
    }
    for (const { metadata } of items) await deletePod(this.cluster, 'default', metadata.name)
  }

  async remove(): Promise<void> {
    await this.cluster.remove()
  }
}
