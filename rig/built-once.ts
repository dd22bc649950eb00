/** Builds or fetches programs, once: the first process that asks builds, others wait. Synchronous. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

const LOOK_MS = 500

/**
 * Builds a program where it is missing.
 *
 * @param program its path, a file or a folder; its existence means that it is built
 * @param build builds it at the given path. @returns null, or the reason why it failed
 * @returns null, or the reason why it cannot be built
 */
export function buildOnce(program: string, build: (path: string) => string | null): string | null {
  if (existsSync(program)) return null
  mkdirSync(dirname(program), { recursive: true })
  const lock = `${program}.building`
  takeLock(lock, program)
  const partial = `${program}.${process.pid}`
  try {
    if (existsSync(program)) return null
    const problem = build(partial)
    if (problem === null) renameSync(partial, program)
    return problem
  } finally {
    rmSync(partial, { recursive: true, force: true })
    rmSync(lock, { force: true })
  }
}

/** For a script that builds: prints the problem and sets the exit code to 1. */
export function reportBuild(problem: string | null): void {
  if (problem === null) return
  console.error(problem)
  process.exitCode = 1
}

/** Waits while another process builds. The lock file contains the id of that process. */
function takeLock(lock: string, program: string): void {
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      return
    } catch {
      // Another process builds.
    }
    // Synchronous like the build, without whose result the caller cannot continue.
    while (isHeld(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS)
    if (existsSync(program)) return
    // The process that held it was killed or failed.
    rmSync(lock, { force: true })
  }
}

function isHeld(lock: string): boolean {
  try {
    process.kill(Number(readFileSync(lock, 'utf8')), 0)
    return true
  } catch {
    return false
  }
}
