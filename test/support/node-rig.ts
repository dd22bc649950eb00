/**
 * A Kubernetes node made of its parts, without Kubernetes: processes in cgroups named as container runtimes name them, in
 * network namespaces joined by a bridge. Needs root, iproute2 and a cgroup hierarchy one may write to. Everything is
 * ended and deleted after the test.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { TestContext } from 'node:test'
import { type CgroupVersion, cgroupMount } from './cgroup-mount.ts'
import { Namespace } from './netns.ts'

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

/** Every rig's pods are in here. */
export const POD_NETWORK = '10.64.0.0/10'
/** A rig that is joined to this machine's network must not meet another process's there. */
const SUBNET = `10.${64 + ((process.pid >> 8) & 63)}.${process.pid & 255}`

const STEP_MILLIS = 5
const START_MILLIS = 10_000
/** A cgroup is busy for a moment after its last process has ended. */
const REMOVE_TRIES = 100

/** A process of the node. */
export interface NodeProcess {
  readonly pid: number
  readonly containerId: string
}

export interface ProcessOptions {
  /** What runs under the name. Without it: sleep. */
  program?: readonly string[]
  env?: Record<string, string>
  /** A container that is there already. */
  containerId?: string
}

/** A pod of the rig. */
export interface RigPod {
  readonly uid: string
  /** null: the host's. */
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
  /** Takes the addresses of a pod that is gone; absent: the next ones. */
  host?: number
}

/** One node. */
export class NodeRig {
  readonly #mount: string
  readonly #node = Namespace.create()
  readonly #namespaces: Namespace[] = []
  readonly #children: ChildProcess[] = []
  readonly #cgroups = new Set<string>()
  #hosts = 1

  private constructor(mount: string) {
    this.#mount = mount
  }

  static create(t: TestContext, version: CgroupVersion): NodeRig {
    const rig = new NodeRig(cgroupMount(version)!)
    t.after(() => rig.#delete())
    rig.#node.ip('link', 'add', 'cni0', 'type', 'bridge')
    rig.#node.ip('addr', 'add', `${SUBNET}.1/24`, 'dev', 'cni0')
    rig.#node.ip('link', 'set', 'cni0', 'up')
    return rig
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
    const run = (name: string, options: ProcessOptions = {}): Promise<NodeProcess> => {
      const containerId = options.containerId ?? randomBytes(32).toString('hex')
      return this.start(name, style(uid, containerId), namespace, { ...options, containerId })
    }
    return { uid, namespace, addresses, run }
  }

  /** A Service: its address is translated into a pod's, as kube-proxy has iptables do it. Needs iptables. */
  service(address: string, port: number, to: string, targetPort: number): void {
    for (const setting of ['ipv4.ip_forward', 'bridge.bridge-nf-call-iptables']) {
      this.#node.exec('sh', '-c', `echo 1 > /proc/sys/net/${setting.replaceAll('.', '/')}`)
    }
    const rule = `-t nat -A PREROUTING -d ${address} -p tcp --dport ${port} -j DNAT --to-destination ${to}:${targetPort}`
    this.#node.exec('iptables', ...rule.split(' '))
  }

  /** Joins this machine's own network to the bridge, as a node's is. @returns its address there */
  joinHost(): string {
    const name = `itl${process.pid}`
    execFileSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', 'host', 'netns', this.#node.name])
    this.#node.ip('link', 'set', 'host', 'master', 'cni0', 'up')
    execFileSync('ip', ['addr', 'add', `${SUBNET}.250/24`, 'dev', name])
    execFileSync('ip', ['link', 'set', name, 'up'])
    return `${SUBNET}.250`
  }

  /** A network namespace with loopback only. */
  namespace(): Namespace {
    const namespace = Namespace.create()
    this.#namespaces.push(namespace)
    return namespace
  }

  /**
   * Starts a process in any cgroup. Its shell enters it before it becomes the program, which so is there from its first
   * moment, as in a container.
   */
  async start(
    name: string,
    cgroup: string,
    namespace: Namespace | null,
    { program = ['sleep', 'infinity'], env = {}, containerId = '' }: ProcessOptions = {},
  ): Promise<NodeProcess> {
    const enter = ['-c', 'echo $$ > "$0" && exec "$@"', `${this.#makeCgroup(cgroup)}/cgroup.procs`]
    const inside = namespace === null ? [] : ['ip', 'netns', 'exec', namespace.name]
    const become = ['bash', '-c', 'exec -a "$0" "$@"', name, ...program]
    const child = spawn('bash', [...enter, ...inside, ...become], {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'] ?? '', ...env },
    })
    this.#children.push(child)
    const pid = child.pid!
    for (const end = Date.now() + START_MILLIS; firstWord(pid) !== name; ) {
      if (Date.now() > end || child.exitCode !== null) throw new Error(`${name} did not start in ${cgroup}`)
      await new Promise((resolve) => setTimeout(resolve, STEP_MILLIS))
    }
    return { pid, containerId }
  }

  /** Gives a namespace its eth0 on the bridge, addresses and a default route. @returns the addresses */
  join(namespace: Namespace, wanted?: number): string[] {
    if (wanted === undefined) this.#hosts += 1
    const host = wanted ?? this.#hosts
    const peer = `veth${host}`
    namespace.ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', peer, 'netns', this.#node.name)
    this.#node.ip('link', 'set', peer, 'master', 'cni0', 'up')
    namespace.ip('addr', 'add', `${SUBNET}.${host}/24`, 'dev', 'eth0')
    namespace.ip('-6', 'addr', 'add', `fd44::${host}/64`, 'dev', 'eth0', 'nodad')
    namespace.ip('link', 'set', 'eth0', 'up')
    namespace.ip('route', 'add', 'default', 'via', `${SUBNET}.1`)
    return [`${SUBNET}.${host}`, `fd44::${host}`]
  }

  #makeCgroup(path: string): string {
    for (let at = path; at !== '.'; at = dirname(at)) this.#cgroups.add(`${this.#mount}/${at}`)
    mkdirSync(`${this.#mount}/${path}`, { recursive: true })
    return `${this.#mount}/${path}`
  }

  async #delete(): Promise<void> {
    await Promise.all(this.#children.map(end))
    for (const namespace of [...this.#namespaces, this.#node]) namespace.delete()
    for (const folder of [...this.#cgroups].sort((left, right) => right.length - left.length)) {
      await removeCgroup(folder)
    }
  }
}

function firstWord(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0]!
  } catch {
    return ''
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** One that others use too stays: another test's, or the node's own where this is one. */
async function removeCgroup(folder: string): Promise<void> {
  for (let tries = 0; tries < REMOVE_TRIES; tries += 1) {
    try {
      return rmdirSync(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || hasChildren(folder)) return
      await new Promise((resolve) => setTimeout(resolve, STEP_MILLIS))
    }
  }
}

/** A folder of cgroup files has two links, and one more for each group in it. */
const hasChildren = (folder: string): boolean => statSync(folder).nlink > 2
