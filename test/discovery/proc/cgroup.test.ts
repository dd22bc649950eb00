import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type ContainerRuntime, parseCgroup } from '../../../src/discovery/proc/cgroup.ts'

const UID = '0e1f2d3c-4b5a-6978-8796-a5b4c3d2e1f0'
const UID_ = UID.replaceAll('-', '_')
const STATIC = '0123456789abcdef0123456789abcdef'
const ID = '5b'.repeat(32)
const OUTER = 'c4'.repeat(32)

interface Case {
  title: string
  /** Lines of /proc/<pid>/cgroup; a plain path is version 2's only line. */
  cgroup: string
  uid?: string | null
  id?: string | null
  runtime?: ContainerRuntime | null
  monitor?: boolean
  kata?: boolean
}

/** Version 1 has a line for each controller. */
const v1 = (path: string): string =>
  ['12:cpuset', '11:memory', '4:cpu,cpuacct', '1:name=systemd'].map((start) => `${start}:${path}`).join('\n')

const SLICE = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice`
const GUARANTEED = `/kubepods.slice/kubepods-pod${UID_}.slice`
const KIND = `/docker/${OUTER}/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice`

const POD_CASES: Case[] = [
  { title: 'cgroupfs, burstable', cgroup: v1(`/kubepods/burstable/pod${UID}/${ID}`) },
  { title: 'cgroupfs, guaranteed: no folder for the class', cgroup: v1(`/kubepods/pod${UID}/${ID}`) },
  { title: 'cgroupfs, best effort, version 2', cgroup: `/kubepods/besteffort/pod${UID}/${ID}` },
  { title: 'CRI-O, cgroupfs', cgroup: v1(`/kubepods/besteffort/pod${UID}/crio-${ID}`), runtime: 'cri-o' },
  { title: 'Docker (cri-dockerd), systemd', cgroup: v1(`${SLICE}/docker-${ID}.scope`), runtime: 'docker' },
  { title: 'Docker (cri-dockerd), systemd, version 2', cgroup: `${SLICE}/docker-${ID}.scope`, runtime: 'docker' },
  { title: 'containerd, systemd', cgroup: `${SLICE}/cri-containerd-${ID}.scope`, runtime: 'containerd' },
  { title: 'containerd, systemd, without .scope', cgroup: `${SLICE}/cri-containerd-${ID}`, runtime: 'containerd' },
  {
    title: 'containerd, systemd, guaranteed',
    cgroup: `${GUARANTEED}/cri-containerd-${ID}.scope`,
    runtime: 'containerd',
  },
  {
    title: 'containerd under systemd whose CRI does not know it',
    cgroup: v1(`/system.slice/containerd.service/kubepods-burstable-pod${UID_}.slice:cri-containerd:${ID}`),
    runtime: 'containerd',
  },
  { title: 'CRI-O, systemd', cgroup: `${SLICE}/crio-${ID}.scope`, runtime: 'cri-o' },
  { title: 'CRI-O with crun: a child', cgroup: `${SLICE}/crio-${ID}.scope/container`, runtime: 'cri-o' },
  {
    title: 'static pod: 32 digits, cgroupfs',
    cgroup: v1(`/kubepods/burstable/pod${STATIC}/${ID}`),
    uid: STATIC,
  },
  {
    title: 'static pod: 32 digits, systemd',
    cgroup: `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${STATIC}.slice/crio-${ID}.scope`,
    uid: STATIC,
    runtime: 'cri-o',
  },
  { title: 'a cgroup made by the workload', cgroup: v1(`/kubepods/pod${UID}/${ID}/kube-proxy`) },
  { title: 'init below a scope', cgroup: `${SLICE}/docker-${ID}.scope/init`, runtime: 'docker' },
  {
    title: 'systemd in the pod',
    cgroup: `${SLICE}/cri-containerd-${ID}.scope/system.slice/nginx.service`,
    runtime: 'containerd',
  },
  {
    title: 'kind, systemd',
    cgroup: `${KIND}/kubelet-kubepods-besteffort-pod${UID_}.slice/cri-containerd-${ID}.scope`,
    runtime: 'containerd',
  },
  { title: 'kind, cgroupfs', cgroup: v1(`/docker/${OUTER}/kubelet/kubepods/burstable/pod${UID}/${ID}`) },
  { title: 'kind, seen from its node', cgroup: `/kubelet/kubepods/besteffort/pod${UID}/${ID}` },
  { title: 'k3s in a service', cgroup: `/system.slice/k3s.service/kubepods/burstable/pod${UID}/${ID}` },
  {
    title: 'Kubernetes in a pod of Kubernetes: the inner pod',
    cgroup: v1(`/kubepods/burstable/pod${STATIC}/${OUTER}/docker/${OUTER}/kubelet/kubepods/pod${UID}/${ID}`),
  },
  {
    title: 'Docker in the pod: the container that Kubernetes knows',
    cgroup: v1(`/kubepods/burstable/pod${UID}/${ID}/docker/${OUTER}`),
  },
  {
    title: 'hybrid: version 2 names the service, version 1 the pod',
    cgroup: `${v1(`/kubepods/burstable/pod${UID}/${ID}`)}\n0::/reserved.slice/containerd.service`,
  },
  {
    title: 'hybrid: version 2 names the pod, version 1 nothing',
    cgroup: `${v1('/')}\n0::${SLICE}/cri-containerd-${ID}.scope`,
    runtime: 'containerd',
  },
  {
    title: 'some controllers at the root',
    cgroup: `12:misc:/\n${v1(`/kubepods/burstable/pod${UID}/${ID}`)}\n2:rdma:/`,
  },
  {
    title: 'controllers of different depth',
    cgroup: `3:pids:/kubepods/pod${UID}\n2:memory:/kubepods/pod${UID}/${ID}`,
  },
  {
    title: 'reader in a cgroup namespace of its own',
    cgroup: `/../../kubepods-burstable-pod${UID_}.slice/cri-containerd-${ID}.scope`,
    runtime: 'containerd',
  },
  { title: 'the same with cgroupfs: no kubepods in sight', cgroup: `/../../pod${UID}/${ID}` },
  { title: 'a cgroup deleted under the process', cgroup: `/kubepods/pod${UID}/${ID} (deleted)` },
  { title: 'the pod’s own cgroup', cgroup: v1(`/kubepods/burstable/pod${UID}`), id: null },
  { title: 'Kata Containers', cgroup: v1(`/kubepods/pod${UID}/kata_${ID}`), kata: true },
  { title: 'conmon in the pod’s slice', cgroup: `${SLICE}/crio-conmon-${ID}.scope`, id: null, monitor: true },
]

const OTHER_CASES: Case[] = [
  { title: 'Docker, cgroupfs', cgroup: v1(`/docker/${ID}`), id: ID, runtime: 'docker' },
  { title: 'Docker, systemd', cgroup: `/system.slice/docker-${ID}.scope`, id: ID, runtime: 'docker' },
  { title: 'a kind node', cgroup: `/docker/${ID}/init.scope`, id: ID, runtime: 'docker' },
  { title: 'Docker in Docker', cgroup: v1(`/docker/${OUTER}/docker/${ID}`), id: ID, runtime: 'docker' },
  { title: 'Podman', cgroup: `/machine.slice/libpod-${ID}.scope/container`, id: ID, runtime: 'podman' },
  {
    title: 'Podman, in a pod of its own',
    cgroup: `/machine.slice/machine-libpod_pod_${OUTER}.slice/libpod-${ID}.scope/container`,
    id: ID,
    runtime: 'podman',
  },
  {
    title: 'Podman, rootless',
    cgroup: `/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${ID}.scope/container`,
    id: ID,
    runtime: 'podman',
  },
  { title: 'Podman, cgroupfs', cgroup: v1(`/libpod_parent/libpod-${ID}`), id: ID, runtime: 'podman' },
  { title: 'Podman’s conmon', cgroup: `/machine.slice/libpod-conmon-${ID}.scope`, monitor: true },
  { title: 'nerdctl', cgroup: `/system.slice/nerdctl-${ID}.scope`, id: ID, runtime: 'containerd' },
  { title: 'containerd without a parent', cgroup: v1(`/k8s.io/${ID}`), id: ID, runtime: 'containerd' },
  {
    title: 'seen from a private cgroup namespace',
    cgroup: `/../../../../system.slice/docker-${ID}.scope`,
    id: ID,
    runtime: 'docker',
  },
  { title: 'Kata Containers without the pod’s cgroup', cgroup: `/kata_overhead/${ID}`, id: ID, kata: true },
  { title: 'a service', cgroup: '/system.slice/containerd.service' },
  { title: 'the kubelet', cgroup: '/system.slice/kubelet.service' },
  { title: 'a login', cgroup: '/user.slice/user-1000.slice/session-3.scope' },
  { title: 'LXC', cgroup: v1('/lxc.payload.web1') },
  { title: 'Talos', cgroup: '/podruntime/runtime' },
  { title: 'the root', cgroup: '/' },
  { title: 'version 1, all at the root', cgroup: v1('/') },
  { title: 'a slice called like a pod', cgroup: '/podcasts.slice/podcast-pod123.slice' },
  { title: '63 digits', cgroup: `/docker/${ID.slice(1)}` },
  { title: '65 digits', cgroup: `/docker/${ID}0` },
  { title: 'capital digits', cgroup: `/docker/${ID.toUpperCase()}` },
  { title: 'nothing', cgroup: '' },
]

const linesOf = (cgroup: string): string => (cgroup.startsWith('/') ? `0::${cgroup}\n` : `${cgroup}\n`)

function check(cases: readonly Case[], uid: string | null, id: string | null): void {
  for (const one of cases) {
    test(`parseCgroup: ${one.title}`, () => {
      assert.deepEqual(parseCgroup(linesOf(one.cgroup)), {
        podUid: one.uid === undefined ? uid : one.uid,
        containerId: one.id === undefined ? id : one.id,
        runtime: one.runtime ?? null,
        monitor: one.monitor ?? false,
        kata: one.kata ?? false,
      })
    })
  }
}

check(POD_CASES, UID, ID)
check(OTHER_CASES, null, null)

test('parseCgroup: whatever the text, an id has 64 digits and a uid 36 or 32', () => {
  const part = fc.constantFrom(
    '/',
    ':',
    'pod',
    UID,
    UID_,
    STATIC,
    ID,
    '-',
    '_',
    '.slice',
    '.scope',
    'docker',
    '\n',
    '0::',
    'x',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string()), { maxLength: 20 }), (parts) => {
      const { podUid, containerId } = parseCgroup(parts.join(''))
      assert.match(containerId ?? ID, /^[0-9a-f]{64}$/)
      assert.match(podUid ?? UID, /^(?:[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/)
    }),
  )
})
