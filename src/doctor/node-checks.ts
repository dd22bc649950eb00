/** Checks of what every run needs: Node.js, shared memory, CPUs, memory. */
import * as zlib from 'node:zlib'
import type { Config } from '../config/schema.ts'
import { cpuLimit } from '../supervisor/cpu-limit.ts'
import { type Check, failed, ok, warning } from './check.ts'
import { memoryLimit } from './memory-limit.ts'

/** The oldest Node.js this runs on, as package.json says. */
const LEAST_NODE = [20, 19] as const

/** Memory of the process itself, beside what `limits.memory` bounds. */
const PROCESS_BYTES = 96 * 1024 * 1024

const mebibytes = (bytes: number): string => `${Math.round(bytes / (1024 * 1024)).toLocaleString('en')} MiB`

/** @returns the checks in the order they are shown */
export const nodeChecks = (config: Config): Check[] => [
  nodeVersion(process.versions.node),
  sharedMemory(),
  cpus(config),
  memory(config),
]

/** @param version  as `process.versions.node` has it */
export function nodeVersion(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const name = 'Node.js'
  if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
    return failed(name, version, `install Node.js ${LEAST_NODE.join('.')} or later`)
  }
  if (!('zstdCompress' in zlib)) {
    const hint = 'Node.js 22.15 or later decodes and compresses zstd'
    return warning(name, `${version}, without zstd`, hint)
  }
  return ok(name, version)
}

function sharedMemory(): Check {
  const name = 'shared memory'
  if (typeof SharedArrayBuffer === 'undefined' || !('waitAsync' in Atomics)) {
    return failed(name, 'not in this Node.js', 'run without flags that take SharedArrayBuffer away')
  }
  return ok(name, 'SharedArrayBuffer, Atomics.waitAsync')
}

function cpus(config: Config): Check {
  const limit = cpuLimit()
  const found = String(Number(limit.toFixed(2)))
  const { workers } = config.assemble
  if (workers !== 'auto' && workers > Math.ceil(limit)) {
    return warning('CPUs', found, `assemble.workers is ${workers}: fewer would do as much here`)
  }
  return ok('CPUs', found)
}

function memory(config: Config): Check {
  const { bytes, cgroup } = memoryLimit()
  const found = `${mebibytes(bytes)} (${cgroup ? 'limit of the control group' : 'of this machine'})`
  if (config.limits.memory + PROCESS_BYTES > bytes) {
    const room = mebibytes(Math.max(0, bytes - PROCESS_BYTES))
    return failed('memory', found, `set limits.memory to at most ${room}, or give the process more`)
  }
  return ok('memory', found)
}
