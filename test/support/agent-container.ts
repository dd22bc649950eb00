/**
 * A container's environment without a container runtime, for a program run as root: only the added capabilities, no new
 * privileges, and a read-only root file system; for an agent's pod, also its environment variables, configuration,
 * service account and the host's /proc.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Container } from './chart.ts'

/** Mount paths in the pod, and the paths used here, because the former cannot be created on this root. */
const CONFIG_FILE = '/run/config/config.yaml'
const HOST_PROC = '/run/host-proc'
const CREDENTIALS = '/run/secrets/kubernetes.io/serviceaccount'

/** The capabilities that the container adds; all others are dropped. */
export const addedCapabilities = ({ securityContext }: Container): string[] =>
  (securityContext['capabilities'] as { add: string[] }).add

/** A command prefix that limits a program to these capabilities and no new privileges. */
export function droppedTo(capabilities: readonly string[]): string[] {
  const bounding = ['-all', ...capabilities.map((name) => `+${name.toLowerCase()}`)].join(',')
  return ['setpriv', `--bounding-set=${bounding}`, '--inh-caps=-all', '--no-new-privs']
}

/**
 * The same, on a read-only root.
 *
 * @param prepare shell commands run with full privileges in a new mount namespace, before privileges are dropped
 */
export function confined(capabilities: readonly string[], prepare = 'true'): string[] {
  // setpriv comes last, because making the root read-only needs privileges that the program must not have.
  const readOnly = `${prepare} && mount -o remount,ro,bind / && exec "$@"`
  return ['unshare', '--mount', 'sh', '-c', readOnly, 'sh', ...droppedTo(capabilities)]
}

export interface AgentContainerFiles {
  /** The content of the ConfigMap. */
  config: string
  /** The service account's token, and the authority of the API server. */
  token: string
  ca: string
}

/**
 * A command prefix that runs the agent as in its container, in a PID namespace of its own; `agentPid` is the process to
 * send signals to. @param folder for the files, needed until the agent has started
 */
export function agentSurroundings(container: Container, folder: string, files: AgentContainerFiles): string[] {
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const tap = container.volumeMounts.find(({ name }) => name === 'tap')?.mountPath ?? ''
  const prepare = [
    // Mounted over the machine's files, and removed with the mount namespace.
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
    'mount -t proc proc /proc',
  ]
  const [unshare = '', ...rest] = confined(addedCapabilities(container), prepare.join(' && '))
  // The forked process is the namespace's first.
  return [unshare, '--pid', '--fork', '--kill-child', ...rest]
}

/** @param pid of a process started under `agentSurroundings`, which waits for the agent and ends with its exit code */
export const agentPid = (pid: number): number => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'))

/** The container's environment. @param fields what the downward API would fill in, by path */
export function agentEnvironment(container: Container, fields: Record<string, string>): Record<string, string> {
  const given = container.env.map(({ name, value, valueFrom }) => {
    const path = (valueFrom as { fieldRef?: { fieldPath: string } } | undefined)?.fieldRef?.fieldPath
    return [name, path === undefined ? (value ?? '') : fields[path]] as const
  })
  return { ...Object.fromEntries(given), INTERCEPTOR_CONFIG: CONFIG_FILE, INTERCEPTOR_TARGETS_PROC_ROOT: HOST_PROC }
}
