/** Programs that tests build from source: once, whichever test process asks first, while the others wait. Synchronous. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

const LOOK_MS = 500

/**
 * Builds a program where it is missing.
 *
 * @param program its path; others know by it that it is built
 * @param build makes it at the path it is given. @returns null, or why it could not
 * @returns null, or why it cannot be had
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
    rmSync(partial, { force: true })
    rmSync(lock, { force: true })
  }
}

/** For a build's own script: says what went wrong, and ends with 1. */
export function reportBuild(problem: string | null): void {
  if (problem === null) return
  console.error(problem)
  process.exitCode = 1
}

/** Waits while another process builds; where that went well, there is nothing left to do. The lock holds its id. */
function takeLock(lock: string, program: string): void {
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' })
      return
    } catch {
      // Another process builds.
    }
    // Synchronous like the build: whoever asks cannot go on without the answer.
    while (isHeld(lock)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS)
    if (existsSync(program)) return
    // Its holder was ended in the middle, or failed.
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
