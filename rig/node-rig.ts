/**
 * A Kubernetes node without Kubernetes: processes in cgroups named as container runtimes name them, in
 * network namespaces joined by a bridge. Needs root, iproute2 and a writable cgroup hierarchy. Everything is ended and
 * deleted after the test.
 */
import { execFileSync } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { type CgroupVersion, cgroupMount } from './cgroup-mount.ts'
import { Namespace } from './netns.ts'
import { type NodeProcess, NodeProcesses, type ProcessOptions } from './node-processes.ts'

/** How a runtime names the cgroup of a container, below the hierarchy's root. */
export type CgroupStyle = (uid: string, container: string) => string

const slice = (uid: string): string =>
  `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uid.replaceAll('-', '_')}.slice`

/** Runtimes with their cgroup drivers. */
export const CGROUP_STYLES = {
  'containerd, systemd': (uid, id) => `${slice(uid)}/cri-containerd-${id}.scope`,
  'containerd, cgroupfs': (uid, id) => `kubepods/burstable/pod${uid}/${id}`,
  'CRI-O, systemd': (uid, id) => `${slice(uid)}/crio-${id}.scope/container`,
  'CRI-O, cgroupfs': (uid, id) => `kubepods/burstable/pod${uid}/crio-${id}`,
  'Docker, systemd': (uid, id) => `${slice(uid)}/docker-${id}.scope`,
  'containerd in kind': (uid, id) => `docker/${'d0'.repeat(32)}/kubelet/kubepods/pod${uid}/cri-containerd-${id}`,
} as const satisfies Record<string, CgroupStyle>

/** Parent cgroup of the pods of all rigs. */
export const POD_NETWORK = '10.64.0.0/10'
/** Rigs of several processes that are joined to this machine's network need different subnets. */
const SUBNET = `10.${64 + ((process.pid >> 8) & 63)}.${process.pid & 255}`

/** A pod of the rig. */
export interface RigPod {
  readonly uid: string
  /** null: the host's network. */
  readonly namespace: Namespace | null
  /** IPv4 and IPv6; empty with the host's network. */
  readonly addresses: readonly string[]
  /** Starts a process in a container of the pod. @param name the first word of its command line */
  run(name: string, options?: ProcessOptions): Promise<NodeProcess>
}

export interface PodOptions {
  style?: CgroupStyle
  hostNetwork?: boolean
  /** As an API server has given it; absent: any. */
  uid?: string
  /** Reuses the addresses of a deleted pod; absent: the next ones. */
  host?: number
}

const BRIDGE_LINK_ADDRESS = '0a:58:0a:f4:00:01'

/** Where a rig registers its removal: a test, for example. */
type Ends = Pick<TestContext, 'after'>

/** One node. */
export class NodeRig {
  /** The node's own network. */
  readonly network = Namespace.create()
  readonly #processes: NodeProcesses
  readonly #namespaces = new Set<Namespace>()
  readonly #podPids = new Map<string, number[]>()
  readonly #apart: boolean
  readonly #subnet: string
  #hosts = 1

  private constructor(t: Ends, version: CgroupVersion, index: number | null) {
    this.#processes = new NodeProcesses(cgroupMount(version)!)
    t.after(() => this.#delete())
    this.#apart = index !== null
    this.#subnet = index === null ? SUBNET : `10.244.${index}`
    // Set a link-layer address, like CNI plugins. Otherwise the bridge has the address of one of its ports, which
    // changes with the ports.
    this.network.ip('link', 'add', 'cni0', 'address', BRIDGE_LINK_ADDRESS, 'type', 'bridge')
    this.network.ip('addr', 'add', `${this.#subnet}.1/24`, 'dev', 'cni0')
    this.network.ip('link', 'set', 'cni0', 'up')
  }

  /** With this machine as the node. */
  static create(t: Ends, version: CgroupVersion): NodeRig {
    return new NodeRig(t, version, null)
  }

  /**
   * A node separate from this machine. An agent within it sees only the node's processes, the first of which has the node's
   * network. The node routes between pods through its packet rules, where the other kind bridges; IPv4 only.
   *
   * @param index its pods have `10.244.<index>.x`
   */
  static async createApart(t: Ends, version: CgroupVersion, index = 0): Promise<NodeRig> {
    const rig = new NodeRig(t, version, index)
    const settings = ['ip_forward=1', 'conf.all.send_redirects=0', 'conf.cni0.send_redirects=0']
    rig.network.exec('sysctl', '-q', '-w', ...settings.map((setting) => `net.ipv4.${setting}`))
    await rig.#processes.startInit(rig.network)
    return rig
  }

  /** The command prefix that runs a program within a separate node. @param inNetwork whether it also has the node's network */
  within(inNetwork: boolean): string[] {
    return this.#processes.within(inNetwork ? this.network : null)
  }

  /** A pod without processes. Its eth0 is on the node's bridge. */
  pod({
    style = CGROUP_STYLES['containerd, systemd'],
    hostNetwork = false,
    uid = randomUUID(),
    host,
  }: PodOptions = {}): RigPod {
    const namespace = hostNetwork ? null : this.namespace()
    const addresses = namespace === null ? [] : this.join(namespace, host)
    const network = hostNetwork && this.#apart ? this.network : namespace
    const run = async (name: string, options: ProcessOptions = {}): Promise<NodeProcess> => {
      const containerId = options.containerId ?? randomBytes(32).toString('hex')
      const started = await this.#processes.start(name, style(uid, containerId), network, { ...options, containerId })
      this.#podPids.set(uid, [...(this.#podPids.get(uid) ?? []), started.pid])
      return started
    }
    return { uid, namespace, addresses, run }
  }

  /** Deletes a pod with its processes, interface and namespace, and frees its address. */
  async end({ uid, namespace }: RigPod): Promise<void> {
    await this.#processes.end(this.#podPids.get(uid) ?? [])
    this.#podPids.delete(uid)
    if (namespace === null) return
    namespace.ip('link', 'del', 'eth0')
    // The next pod with this address has another link-layer address.
    this.network.ip('neigh', 'flush', 'dev', 'cni0')
    this.#namespaces.delete(namespace)
    namespace.delete()
  }

  /** A Service: its address is translated into a pod's, as kube-proxy does with iptables. Needs iptables. */
  service(address: string, port: number, to: string, targetPort: number): void {
    const settings = this.#apart ? [] : ['ipv4.ip_forward', 'bridge.bridge-nf-call-iptables']
    for (const setting of settings) {
      this.network.exec('sh', '-c', `echo 1 > /proc/sys/net/${setting.replaceAll('.', '/')}`)
    }
    this.translate(
      'PREROUTING',
      '-d',
      address,
      '-p',
      'tcp',
      '--dport',
      String(port),
      '-j',
      'DNAT',
      '--to-destination',
      `${to}:${targetPort}`,
    )
  }

  /** Adds a rule of address translation to the node's. Needs iptables. */
  translate(chain: 'PREROUTING' | 'OUTPUT' | 'POSTROUTING', ...rule: string[]): void {
    this.network.exec('iptables', '-t', 'nat', '-A', chain, ...rule)
  }

  /** Connects this machine's network to the bridge, like a node's. @returns its address there */
  joinHost(): string {
    const name = `itl${process.pid}`
    execFileSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'host', 'netns', this.network.name])
    this.network.ip('link', 'set', 'host', 'master', 'cni0', 'up')
    execFileSync('ip', ['addr', 'add', `${this.#subnet}.250/24`, 'dev', name])
    execFileSync('ip', ['link', 'set', name, 'up'])
    return `${SUBNET}.250`
  }

  /**
   * Adds an interface to the node that is connected to the same interface of another network. Addresses such as
   * `192.0.2.1/24`.
   */
  joinNetwork(device: string, address: string, peer: Namespace, peerAddress: string): void {
    this.network.ip('link', 'add', device, 'type', 'veth', 'peer', 'name', device, 'netns', peer.name)
    for (const [network, own] of [
      [this.network, address],
      [peer, peerAddress],
    ] as const) {
      network.ip('addr', 'add', own, 'dev', device)
      network.ip('link', 'set', device, 'up')
    }
  }

  /** A network namespace with loopback only. */
  namespace(): Namespace {
    const namespace = Namespace.create()
    this.#namespaces.add(namespace)
    return namespace
  }

  /** Starts a process in any cgroup, see NodeProcesses. */
  start(name: string, cgroup: string, network: Namespace | null, options: ProcessOptions = {}): Promise<NodeProcess> {
    return this.#processes.start(name, cgroup, network, options)
  }

  /** Gives a namespace its eth0 on the bridge, addresses and a default route. @returns the addresses */
  join(namespace: Namespace, wanted?: number): string[] {
    if (wanted === undefined) this.#hosts += 1
    const host = wanted ?? this.#hosts
    const address = `${this.#subnet}.${host}`
    const gateway = `${this.#subnet}.1`
    namespace.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `veth${host}`, 'netns', this.network.name)
    this.network.ip('link', 'set', `veth${host}`, 'master', 'cni0', 'up')
    namespace.ip('addr', 'add', `${address}/${this.#apart ? 32 : 24}`, 'dev', 'eth0')
    if (!this.#apart) namespace.ip('-6', 'addr', 'add', `fd44::${host}/64`, 'dev', 'eth0', 'nodad')
    namespace.ip('link', 'set', 'eth0', 'up')
    if (this.#apart) namespace.ip('route', 'add', gateway, 'dev', 'eth0')
    namespace.ip('route', 'add', 'default', 'via', gateway)
    return this.#apart ? [address] : [address, `fd44::${host}`]
  }

  async #delete(): Promise<void> {
    await this.#processes.endAll()
    for (const namespace of [...this.#namespaces, this.network]) namespace.delete()
  }
}
