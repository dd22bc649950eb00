/** Identifies the pod that this process runs in, whose traffic is never captured. */
import { parseCgroup } from './cgroup.ts'
import { ProcFiles } from './proc-files.ts'
import { readNetns } from './process.ts'

/** This process's own pod, as far as it is known. */
export interface OwnPod {
  readonly uid: string | null
  readonly name: string | null
  readonly namespace: string | null
  /** Inode of this process's network namespace. */
  readonly netns: number | null
}

/**
 * Reads it from the environment, as a DaemonSet sets it through the downward API (POD_UID, POD_NAME, POD_NAMESPACE), and
 * from this process's cgroup, which does not name the pod in a cgroup namespace of its own.
 */
export function readOwnPod(env: NodeJS.ProcessEnv, procRoot: string): OwnPod {
  const files = new ProcFiles(procRoot)
  const text = files.read('self/cgroup')
  const netns = readNetns(files, 'self')
  return {
    uid: env['POD_UID'] || (typeof text === 'string' ? parseCgroup(text).podUid : null),
    name: env['POD_NAME'] || null,
    namespace: env['POD_NAMESPACE'] || null,
    netns: typeof netns === 'number' ? netns : null,
  }
}
