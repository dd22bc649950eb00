/**
 * Parses which container and pod a process belongs to from its cgroup (cgroups(7), /proc/<pid>/cgroup). Covers version 1,
 * version 2 and hybrid hierarchies; the systemd and cgroupfs drivers; containerd, CRI-O, Docker with and without
 * cri-dockerd, and Podman; nodes that are containers, nested containers, and a reader in its own cgroup namespace, which
 * sees paths that begin with `/..`. Pure.
 */

export type ContainerRuntime = 'containerd' | 'cri-o' | 'docker' | 'podman'

/** What a cgroup path reveals of a process. */
export interface CgroupFacts {
  /** As Kubernetes writes it, with dashes; 32 hexadecimal digits for a static pod; null: not in a pod. */
  readonly podUid: string | null
  /** 64 hexadecimal digits; null: not in a container. */
  readonly containerId: string | null
  /** null where the path does not name it: the cgroupfs driver omits the runtime. */
  readonly runtime: ContainerRuntime | null
  /** The runtime's process that monitors the container (conmon): its cgroup is the pod's, but it is not part of the pod. */
  readonly monitor: boolean
  /** Whether it is the cgroup of a Kata Containers virtual machine. */
  readonly kata: boolean
}

const NONE: CgroupFacts = { podUid: null, containerId: null, runtime: null, monitor: false, kata: false }

/** `pod<uid>` or `kubepods-burstable-pod<uid_>.slice`. */
const POD =
  /(?:^|[-_])pod([0-9a-f]{8}([-_])[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?$/
/** `<id>`, `cri-containerd-<id>.scope`, `kata_<id>`. */
const CONTAINER = /^(?:([a-z][a-z0-9-]*)[-_])?([0-9a-f]{64})(?:\.scope)?$/

/** By the prefix of the id, in the same path component or in the preceding one. */
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
 * Parses /proc/<pid>/cgroup. Controllers may be at different paths; the most specific line wins.
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
    if (specificity(facts) > specificity(best)) best = facts
  }
  return best
}

const specificity = (facts: CgroupFacts): number =>
  (facts.podUid === null ? 0 : 4) + (facts.containerId === null ? 0 : 2) + (facts.monitor ? 1 : 0)

/**
 * Uses the innermost pod, because the node may itself be a container of a pod. Within a pod the outermost container is
 * the one that Kubernetes knows; outside of pods the innermost container is the one that was started.
 */
function parsePath(path: string): CgroupFacts {
  let facts = NONE
  let before = ''
  // `slice:prefix:id`, the systemd driver's notation, is a single path component if the runtime uses cgroupfs.
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
