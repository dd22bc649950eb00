/** Which network namespace is the host's: that of its first process. */
import { DENIED, type Listed, type ProcFiles, type Refusal } from './proc-files.ts'
import { readNetns } from './process.ts'

/** The host's first process: whoever shares its network namespace has the host's network. */
export const HOST_PID = 1

/**
 * @param listed all processes in sight
 * @returns the inode of the host's network namespace. Where only pid 1 refuses to show its own, having capabilities that
 *   this process has not, another process of that namespace tells: the inode of /proc/<pid>/net/dev is the namespace's,
 *   the same for all in it, and open to all.
 */
export function readHostNetns(files: ProcFiles, listed: readonly Listed[]): number | Refusal {
  const own = readNetns(files, HOST_PID)
  if (own !== DENIED) return own
  const wanted = files.inode(`${HOST_PID}/net/dev`)
  if (typeof wanted === 'symbol') return wanted
  for (const pid of ['self', ...listed.map((one) => one.pid)]) {
    if (files.inode(`${pid}/net/dev`) !== wanted) continue
    const netns = readNetns(files, pid)
    if (typeof netns === 'number') return netns
  }
  return DENIED
}
