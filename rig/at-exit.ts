/**
 * Cleans up what a process has made outside of itself, however it ends: by itself, by a failure, or by a signal that a person
 * or a CI service sends. Only SIGKILL leaves it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

/** They end a process that has no listener, without the handlers of `exit`. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Work to be done, the newest last. */
const pending = new Set<() => void>()
let listening = false

/**
 * Has this called when the process ends. Newer ones are called before older ones.
 *
 * @param cleanUp synchronous. @returns withdraws it, when the work is done earlier
 */
export function atExit(cleanUp: () => void): () => void {
  if (!listening) listen()
  pending.add(cleanUp)
  return () => pending.delete(cleanUp)
}

/** A new folder in the system's folder for temporary files. It is deleted at the exit of this process at the latest. */
export function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  // A process that was just killed may still write to it.
  atExit(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
  return folder
}

/** Not earlier: a process that leaves nothing may treat signals differently. */
function listen(): void {
  listening = true
  for (const signal of SIGNALS) process.once(signal, () => process.exit(128 + constants.signals[signal]))
  process.once('exit', () => {
    for (const cleanUp of [...pending].reverse()) attempt(cleanUp)
  })
}

/** A cleanup that fails does not keep the others from being called. */
function attempt(cleanUp: () => void): void {
  try {
    cleanUp()
  } catch (error) {
    process.stderr.write(`cleaning up failed: ${error instanceof Error ? error.message : error}\n`)
  }
}
