/** Where cgroups can be made on this machine. */
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'

export type CgroupVersion = 'v1' | 'v2'

/** Hierarchies of version 1 that hold a process back in nothing. */
const HARMLESS = ['pids', 'freezer', 'perf_event']

/**
 * @param version of the hierarchy
 * @returns a mounted hierarchy in which this process may make groups; null: there is none
 */
export function cgroupMount(version: CgroupVersion): string | null {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  for (const line of mounts) {
    const [, path = '', type, options = ''] = line.split(' ')
    const fits = version === 'v2' ? type === 'cgroup2' : type === 'cgroup' && hasOne(options.split(','))
    if (fits && isWritable(path)) return path
  }
  return null
}

const hasOne = (options: readonly string[]): boolean => options.some((option) => HARMLESS.includes(option))

function isWritable(path: string): boolean {
  const probe = `${path}/interceptor-probe-${process.pid}`
  try {
    mkdirSync(probe)
    rmdirSync(probe)
    return true
  } catch {
    return false
  }
}
