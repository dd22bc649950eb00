/** Pods whose processes the host cannot see: virtual machines and kernels of their own. Pure. */
import type { ProcessFacts } from './process.ts'

const HYPERVISOR = /^(?:qemu-.*|cloud-hypervisor|firecracker|stratovirt)$/

/**
 * @param processes of one pod
 * @returns why such a pod is not captured; null for an ordinary one
 */
export function sandboxReason(processes: readonly ProcessFacts[]): string | null {
  if (processes.some(isKata)) return 'Kata Containers: runs in a virtual machine, out of the host’s sight'
  if (processes.some(({ name }) => name === 'runsc-sandbox')) return 'gVisor: has a network stack of its own'
  return null
}

/** Kata's shim, its cgroup, or a hypervisor that it started: `qemu-system-x86_64 -name sandbox-<id>,…`. KubeVirt's guests are none. */
function isKata({ name, command, cgroup }: ProcessFacts): boolean {
  if (cgroup.kata || name === 'containerd-shim-kata-v2') return true
  return HYPERVISOR.test(name) && /\/kata[/-]|\/vc\/|sandbox-[0-9a-f]{64}/.test(command)
}
