/** An interface that discovery adds to a running pipeline. */
import type { PortRange } from '../net/port-ranges.ts'
import type { InterfaceInfo } from './interface-info.ts'

export interface CaptureTarget {
  /** The same key is the same capture: `<inode of the namespace>/<device>`. */
  readonly key: string
  /** Interface name within its network namespace, or `any`. */
  readonly device: string
  /** The namespace: a path such as `/host/proc/4211/ns/net`, and its inode, because the pid may have been reused. */
  readonly netns: { readonly path: string; readonly inode: number } | null
  /** `domain` is the pipeline's to choose. */
  readonly info: Omit<InterfaceInfo, 'domain'>
  /** TCP ports at either end that the kernel's filter leaves out. */
  readonly excludePorts: readonly number[]
  /** The only TCP ports, at either end, that the kernel's filter passes; null: all. */
  readonly onlyPorts: readonly PortRange[] | null
  /** Only packets from or to these addresses; null: all. For the host, whose interfaces carry what is forwarded too. */
  readonly onlyAddresses: readonly string[] | null
  /**
   * Whether packets in the tunnels of `capture.tunnels` pass the kernel's filter too. Not for pods, whose own tunnels are
   * not decoded.
   */
  readonly tunnels: boolean
  /** Labels of its metrics beside `interface`: namespace and pod. */
  readonly labels: Readonly<Record<string, string>>
}

/**
 * The fields of a log record about a target: `interface`, where it is a pod's `namespace` and `pod`, and the key where
 * that is clearer than the interface's name.
 */
export function targetLogFields({ key, device, labels }: CaptureTarget): Record<string, string> {
  const known = Object.entries(labels).filter(([, value]) => value !== '')
  return { interface: device, ...Object.fromEntries(known), ...(key === device ? {} : { key }) }
}
