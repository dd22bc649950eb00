/** Checks what every run needs: Node.js, shared memory, CPUs, memory. */

import * as zlib from 'node:zlib'
import { compileProgram, usesKeptCode } from '../assemble/host/program.ts'
import type { Config } from '../config/schema.ts'
import { errorText, hintOf } from '../errors.ts'
import { grouped } from '../format/units.ts'
import { cpuLimit } from '../supervisor/cpu/cpu-limit.ts'
import { type Check, failed, ok, warning } from './check.ts'
import { memoryLimit } from './memory-limit.ts'

/** The oldest supported Node.js, as in package.json. */
const LEAST_NODE = [20, 19] as const

/** Memory of the process itself, in addition to `limits.memory`. */
const PROCESS_BYTES = 96 * 1024 * 1024

const mebibytes = (bytes: number): string => `${grouped(Math.round(bytes / (1024 * 1024)))} MiB`

/** @returns the checks in the order of the output */
export const nodeChecks = (config: Config): Check[] => [
  nodeVersion(process.versions.node),
  sharedMemory(),
  webAssembly(),
  cpus(config),
  memory(config),
]

/** @param version  as in `process.versions.node` */
export function nodeVersion(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const name = 'Node.js'
  if (major < LEAST_NODE[0] || (major === LEAST_NODE[0] && minor < LEAST_NODE[1])) {
    return failed(name, version, `install Node.js ${LEAST_NODE.join('.')} or later`)
  }
  if (!('zstdCompress' in zlib)) {
    const hint = 'use Node.js 22.15 or later to decode and compress zstd'
    return warning(name, `${version}, without zstd`, hint)
  }
  return ok(name, version)
}

function sharedMemory(): Check {
  const name = 'shared memory'
  if (typeof SharedArrayBuffer === 'undefined' || !('waitAsync' in Atomics)) {
    return failed(name, 'not available', 'run Node.js without flags that disable SharedArrayBuffer')
  }
  return ok(name, 'SharedArrayBuffer, Atomics.waitAsync')
}

/**
 * Where no kept code is valid, which is so in an image on another kind of processor, the first seconds are slower and
 * nothing else.
 */
function webAssembly(): Check {
  const name = 'WebAssembly'
  try {
    compileProgram()
    return ok(name, usesKeptCode() ? 'with the machine code that the build has kept' : 'compiled by V8 in each run')
  } catch (error) {
    return failed(name, errorText(error), hintOf(error) ?? 'see the message')
  }
}

function cpus(config: Config): Check {
  const limit = cpuLimit()
  const found = String(Number(limit.toFixed(2)))
  const { workers } = config.assemble
  if (workers !== 'auto' && workers > Math.ceil(limit)) {
    return warning('CPUs', found, `assemble.workers is ${workers}: more workers than CPUs do not help`)
  }
  return ok('CPUs', found)
}

function memory(config: Config): Check {
  const { bytes, cgroup } = memoryLimit()
  const found = `${mebibytes(bytes)} (${cgroup ? 'limit of the control group' : 'this machine'})`
  if (config.limits.memory + PROCESS_BYTES > bytes) {
    const room = mebibytes(Math.max(0, bytes - PROCESS_BYTES))
    return failed('memory', found, `set limits.memory to at most ${room}, or give the process more memory`)
  }
  return ok('memory', found)
}
