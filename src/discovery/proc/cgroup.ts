/**
 * Which container and which pod a process belongs to, by its cgroup (cgroups(7), /proc/<pid>/cgroup): version 1, version
 * 2 and both at once; the systemd and the cgroupfs driver; containerd, CRI-O, Docker with and without cri-dockerd,
 * Podman; nodes that are containers themselves, containers in containers, and a reader in a cgroup namespace of its own,
 * who sees paths that begin with `/..`. Pure.
 */

export type ContainerRuntime = 'containerd' | 'cri-o' | 'docker' | 'podman'

/** What a cgroup says of a process. */
export interface CgroupFacts {
  /** As Kubernetes writes it, with dashes; 32 hexadecimal digits for a static pod; null: in no pod. */
  readonly podUid: string | null
  /** 64 hexadecimal digits; null: in no container. */
  readonly containerId: string | null
  /** null where the path does not tell: the cgroupfs driver leaves the runtime's name out. */
  readonly runtime: ContainerRuntime | null
  /** The runtime's own process beside the container (conmon), in the pod's cgroup but not of the pod. */
  readonly monitor: boolean
  /** The cgroup of a virtual machine of Kata Containers. */
  readonly kata: boolean
}

const NONE: CgroupFacts = { podUid: null, containerId: null, runtime: null, monitor: false, kata: false }

/** `pod<uid>` or `kubepods-burstable-pod<uid_>.slice`. */
const POD =
  /(?:^|[-_])pod([0-9a-f]{8}([-_])[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/
/** `<id>`, `cri-containerd-<id>.scope`, `kata_<id>`. */
const CONTAINER = /^(?:([a-z][a-z0-9-]*)[-_])?([0-9a-f]{64})(?:\.scope)?$/

/** By what stands before the id, in the same path component or in the one before. */
const RUNTIMES: Readonly<Record<string, ContainerRuntime>> = {
  'cri-containerd': 'containerd',
  containerd: 'containerd',
  nerdctl: 'containerd',
  'k8s.io': 'containerd',
  crio: 'cri-o',
  docker: 'docker',
  libpod: 'podman',
  libpod_parent: 'podman',
}

/**
 * Reads /proc/<pid>/cgroup. Controllers may be in different places; the line that says most wins.
 *
 * @param text one line for each hierarchy: `4:memory:/kubepods/pod…/<id>`, `0::/kubepods.slice/…`
 */
export function parseCgroup(text: string): CgroupFacts {
  let best = NONE
  let previous = '/'
  for (const line of text.split('\n')) {
    const path = line.slice(line.indexOf(':', line.indexOf(':') + 1) + 1)
    if (path === previous || path === '') continue
    previous = path
    const facts = parsePath(path.replace(/ \(deleted\)$/, ''))
    if (weight(facts) > weight(best)) best = facts
  }
  return best
}

const weight = (facts: CgroupFacts): number =>
  (facts.podUid === null ? 0 : 4) + (facts.containerId === null ? 0 : 2) + (facts.monitor ? 1 : 0)

/**
 * The innermost pod counts, of a node that is a container too; in a pod the outermost container, being the one that
 * Kubernetes knows; outside of pods the innermost.
 */
function parsePath(path: string): CgroupFacts {
  let facts = NONE
  let before = ''
  // The systemd driver's `slice:prefix:id` becomes one component where the runtime does not know that driver.
  for (const component of path.split(/[/:]/)) {
    const pod = POD.exec(component)
    if (pod !== null) {
      facts = { ...NONE, podUid: pod[1].replaceAll('_', '-') }
    } else if (facts.podUid === null || facts.containerId === null) {
      facts = withContainer(facts, component, before)
    }
    before = component
  }
  return facts
}

function withContainer(facts: CgroupFacts, component: string, before: string): CgroupFacts {
  const container = CONTAINER.exec(component)
  if (container === null) return facts
  const prefix = container[1] ?? before
  if (prefix.endsWith('conmon')) return { ...facts, monitor: true }
  const kata = prefix.startsWith('kata')
  return { ...facts, containerId: container[2], runtime: RUNTIMES[prefix] ?? null, kata }
}
