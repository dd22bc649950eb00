/**
 * A container's surroundings without a container runtime, for a program run as root: at most the capabilities that are
 * added, no new privileges, a root file system that nothing can write to; and, for an agent's pod, its environment,
 * configuration, service account and the host's /proc.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Container } from './chart.ts'

/** Where the pod has them, and where they are here: the root has no room for the first. */
const CONFIG_FILE = '/run/config/config.yaml'
const HOST_PROC = '/run/host-proc'
const CREDENTIALS = '/run/secrets/kubernetes.io/serviceaccount'

/** Capabilities that a container adds to none. */
export const addedCapabilities = ({ securityContext }: Container): string[] =>
  (securityContext['capabilities'] as { add: string[] }).add

/** Words to run a program under: these capabilities at most, and no new privileges. */
export function droppedTo(capabilities: readonly string[]): string[] {
  const bounding = ['-all', ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(',')
  return ['setpriv', `--bounding-set=${bounding}`, '--inh-caps=-all', '--no-new-privs']
}

/**
 * The same, on a root that nothing can write to.
 *
 * @param prepare shell commands run with full privileges in a new mount namespace, before privileges are dropped
 */
export function confined(capabilities: readonly string[], prepare = 'true'): string[] {
  // setpriv comes last: making the root read-only needs more than the program may.
  const readOnly = `${prepare} && mount -o remount,ro,bind / && exec "$@"`
  return ['unshare', '--mount', 'sh', '-c', readOnly, 'sh', ...droppedTo(capabilities)]
}

export interface AgentContainerFiles {
  /** What the ConfigMap holds. */
  config: string
  /** The service account's token, and the authority of the API server. */
  token: string
  ca: string
}

/** Words to run the agent under as its container would. @param folder for the files, until the agent has started */
export function agentSurroundings(container: Container, folder: string, files: AgentContainerFiles): string[] {
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const tap = container.volumeMounts.find(({ name }) => name === 'tap')?.mountPath ?? ''
  const prepare = [
    // On top of what the machine has there, and gone with the mount namespace.
    'mount -t tmpfs tmpfs /run',
    `mkdir -p ${CREDENTIALS} ${HOST_PROC} ${dirname(CONFIG_FILE)} ${tap}`,
    // An emptyDir, as a kubelet creates it.
    `mount -t tmpfs -o mode=777 tmpfs ${tap}`,
    `cp ${join(folder, 'config')} ${CONFIG_FILE}`,
    `cp ${join(folder, 'token')} ${CREDENTIALS}/token`,
    `cp ${join(folder, 'ca')} ${CREDENTIALS}/ca.crt`,
    `mount --bind /proc ${HOST_PROC}`,
    `mount -o remount,ro,bind ${HOST_PROC}`,
    'mount -o remount,ro /run',
  ]
  return confined(addedCapabilities(container), prepare.join(' && '))
}

/** The container's environment. @param fields what the downward API would fill in, by path */
export function agentEnvironment(container: Container, fields: Record<string, string>): Record<string, string> {
  const given = container.env.map(({ name, value, valueFrom }) => {
    const path = (valueFrom as { fieldRef?: { fieldPath: string } } | undefined)?.fieldRef?.fieldPath
    return [name, path === undefined ? (value ?? '') : fields[path]] as const
  })
  return { ...Object.fromEntries(given), INTERCEPTOR_CONFIG: CONFIG_FILE, INTERCEPTOR_TARGETS_PROC_ROOT: HOST_PROC }
}
