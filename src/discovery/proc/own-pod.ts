/** Which pod this process itself is, whose traffic is never captured. */

import type { KnownPod } from '../kubernetes/known-pod.ts'
import { parseCgroup } from './cgroup.ts'
import { ProcFiles } from './proc-files.ts'
import { readNetns } from './process.ts'
import type { Pod } from './snapshot.ts'

/** What is known of ourselves; null: not told. */
export interface OwnPod {
  readonly uid: string | null
  readonly name: string | null
  readonly namespace: string | null
  /** Inode of our network namespace. */
  readonly netns: number | null
}

/**
 * From the environment, as a DaemonSet sets it through the downward API (POD_UID, POD_NAME, POD_NAMESPACE), and from our
 * own cgroup, which tells nothing in a cgroup namespace of our own.
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

/** Whether a pod is the one that this process is in. */
export function isOwn(own: OwnPod, pod: Pod, known: KnownPod | null): boolean {
  if (own.uid !== null && (pod.uid === own.uid || known?.uid === own.uid)) return true
  if (!pod.hostNetwork && pod.netns === own.netns) return true
  return own.name !== null && known?.name === own.name && known.namespace === own.namespace
}
