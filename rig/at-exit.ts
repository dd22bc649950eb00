/**
 * Cleans up resources that a process has created outside of itself, however it ends: normally, by a failure, or by a
 * signal of a user or a CI service. Only SIGKILL prevents it.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Without a listener, these signals end a process before handlers of `exit` run. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Pending cleanups, the newest last. */
const pending = new Set<() => void>()
let listening = false

/**
 * Registers a cleanup that runs when the process ends. Newer ones run before older ones.
 *
 * @param cleanUp synchronous. @returns a function that withdraws it, for work that is done earlier
 */
export function atExit(cleanUp: () => void): () => void {
  if (!listening) listen()
  pending.add(cleanUp)
  return () => pending.delete(cleanUp)
}

/** A new folder in the system's folder for temporary files. It is deleted at the exit of this process at the latest. */
export function temporaryFolder(prefix: string): string {
  const folder = mkdtempSync(join(tmpdir(), prefix))
  // A process that was just killed may still write to the folder.
  atExit(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }))
  return folder
}

/** Install the handlers only now, because a process without cleanups may treat signals differently. */
function listen(): void {
  listening = true
  for (const signal of SIGNALS) process.once(signal, () => process.exit(128 + constants.signals[signal]))
  process.once('exit', () => {
    for (const cleanUp of [...pending].reverse()) attempt(cleanUp)
  })
}

/** A failing cleanup must not prevent the others. */
function attempt(cleanUp: () => void): void {
  try {
    cleanUp()
  } catch (error) {
    process.stderr.write(`cleaning up failed: ${error instanceof Error ? error.message : error}\n`)
  }
}
