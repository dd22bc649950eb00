/**
 * Finds the control groups of this process, whose limits apply together with those of the groups above them. Source: cgroups(7),
 * "/proc/pid/cgroup", and Linux Documentation/admin-guide/cgroup-v2.rst.
 */
import { readFileSync } from 'node:fs'

const ROOT = '/sys/fs/cgroup'

/** Reads a small file; null if it cannot be read. */
export type ReadText = (path: string) => string | null

export const readText: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return null
  }
}

/**
 * @param controller of version 1, such as `memory`
 * @returns folders of this process's group and those above it, in version 2 and in version 1. In a container, where its own group is
 *   mounted as the root, some may not exist
 */
export function groupFolders(controller: string, read: ReadText): { unified: string[]; legacy: string[] } {
  const groups = { unified: '/', legacy: '/' }
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers = null, group = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers === '') groups.unified = group
    if (controllers?.split(',').includes(controller)) groups.legacy = group
  }
  return {
    unified: chain(groups.unified).map((group) => `${ROOT}${group}`),
    legacy: chain(groups.legacy).map((group) => `${ROOT}/${controller}${group}`),
  }
}

/** A group and its ancestors; the root is the empty string. */
function chain(group: string): string[] {
  const parts = group.split('/').filter((part) => part !== '')
  // A group outside of the one that is mounted as the root.
  if (parts.includes('..')) return ['']
  return [...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`), '']
}
