/**
 * Determines how much memory this process may use: the machine's, or less if a control group limits it.
 * Source: Linux Documentation/admin-guide/cgroup-v2.rst (memory.max), cgroup-v1/memory.rst (memory.limit_in_bytes).
 */
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'

/** Reads a small file; null if it cannot be read. */
export type ReadText = (path: string) => string | null

const readText: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return null
  }
}

/** A limit and its origin. */
export interface MemoryLimit {
  bytes: number
  /** Whether a control group sets the limit, rather than the machine. */
  cgroup: boolean
}

/** The least of the machine's memory and the limits of this process's control group and its ancestors. */
export function memoryLimit(read: ReadText = readText, machine = totalmem()): MemoryLimit {
  const { unified, memory } = ownGroups(read)
  const texts = [
    ...chain(unified).map((group) => read(`/sys/fs/cgroup${group}/memory.max`)),
    ...chain(memory).map((group) => read(`/sys/fs/cgroup/memory${group}/memory.limit_in_bytes`)),
  ]
  const limits = texts.filter((text) => text !== null && /^\d+$/.test(text)).map(Number)
  const bytes = Math.min(machine, ...limits)
  return { bytes, cgroup: bytes < machine }
}

/** This process's groups in the unified and the memory hierarchy; in a container usually both `/`. */
function ownGroups(read: ReadText): { unified: string; memory: string } {
  const groups = { unified: '/', memory: '/' }
  for (const line of (read('/proc/self/cgroup') ?? '').split('\n')) {
    const [, controllers = null, group = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers === '') groups.unified = group
    if (controllers?.split(',').includes('memory')) groups.memory = group
  }
  return groups
}

/** A group and its ancestors; the root is the empty string. */
function chain(group: string): string[] {
  const parts = group.split('/').filter((part) => part !== '')
  return [...parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`), '']
}
