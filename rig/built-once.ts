/** Builds or downloads programs once: the first process builds, and others wait. Synchronous. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

const LOOK_MS = 500

/**
 * Builds a program if it is missing.
 *
 * @param program its path, a file or a folder; its existence means that it is built
 * @param build builds it at the given path. @returns null, or the reason why it failed
 * @returns null, or the reason why it cannot be built
 */
export function buildOnce(program: string, build: (path: string) => string | null): string | null {
  if (existsSync(program)) return null
  mkdirSync(dirname(program), { recursive: true })
  return withLock(`${program}.building`, () => {
    if (existsSync(program)) return null
    const partial = `${program}.${process.pid}`
    try {
      const problem = build(partial)
      if (problem === null) renameSync(partial, program)
      return problem
    } finally {
      rmSync(partial, { recursive: true, force: true })
    }
  })
}

/**
 * Runs work that only one process may do at a time; others wait.
 *
 * @param lock path of a file that exists meanwhile, in an existing folder
 * @throws what `work` throws
 */
export function withLock<T>(lock: string, work: () => T): T {
  takeLock(lock)
  try {
    return work()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** Used by scripts that build: prints the problem and sets the exit code to 1. */
export function reportBuild(problem: string | null): void {
  if (problem === null) return
  console.error(problem)
  process.exitCode = 1
}

/** Waits while another process holds the lock. The lock file contains the id of that process. */
function takeLock(lock: string): void {
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const owner = ownerOf(lock)
    if (owner === null) continue
    // Synchronous like the work, because the caller cannot continue without its result.
    if (isRunning(owner)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS)
    // The holder was killed.
    else rmSync(lock, { force: true })
  }
}

/** @returns the process that holds the lock; null: it was released */
function ownerOf(lock: string): number | null {
  try {
    return Number(readFileSync(lock, 'utf8'))
  } catch {
    return null
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
