/** Finds where cgroups can be created on this machine. */
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'

export type CgroupVersion = 'v1' | 'v2'

/** Hierarchies of version 1 whose controllers limit nothing. */
const HARMLESS = ['pids', 'freezer', 'perf_event']

/**
 * @param version of the hierarchy
 * @returns a mounted hierarchy in which this process may create groups; null: there is none
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

/** A group that bounds memory, and the file for its limit in bytes. */
export interface MemoryGroup {
  path: string
  limitFile: string
}

/**
 * @param name of a group to create @returns the group's folder and its limit file; null: this process may not create
 * such a group
 */
export function memoryGroup(name: string): MemoryGroup | null {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n')
  for (const line of mounts) {
    const [, path = '', type, options = ''] = line.split(' ')
    const isV1 = type === 'cgroup' && options.split(',').includes('memory')
    const isV2 = type === 'cgroup2' && controllers(path).includes('memory')
    if (!(isV1 || isV2) || !isWritable(path)) continue
    return { path: `${path}/${name}`, limitFile: isV1 ? 'memory.limit_in_bytes' : 'memory.max' }
  }
  return null
}

/** The controllers that are available to groups in a folder of version 2. */
function controllers(path: string): string[] {
  try {
    return readFileSync(`${path}/cgroup.subtree_control`, 'utf8').trim().split(' ')
  } catch {
    return []
  }
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
