/**
 * Determines how much memory this process may use: the machine's, or less if a control group limits it.
 * Source: Linux Documentation/admin-guide/cgroup-v2.rst (memory.max), cgroup-v1/memory.rst (memory.limit_in_bytes).
 */
import { totalmem } from 'node:os'
import { groupFolders, type ReadText, readText } from '../sys/control-groups.ts'

/** A limit and its origin. */
export interface MemoryLimit {
  bytes: number
  /** Whether a control group sets the limit, rather than the machine. */
  cgroup: boolean
}

/** The least of the machine's memory and the limits of this process's control group and its ancestors. */
export function memoryLimit(read: ReadText = readText, machine = totalmem()): MemoryLimit {
  const { unified, legacy } = groupFolders('memory', read)
  const texts = [
    ...unified.map((folder) => read(`${folder}/memory.max`)),
    ...legacy.map((folder) => read(`${folder}/memory.limit_in_bytes`)),
  ]
  const limits = texts.filter((text) => text !== null && /^\d+$/.test(text)).map(Number)
  const bytes = Math.min(machine, ...limits)
  return { bytes, cgroup: bytes < machine }
}
