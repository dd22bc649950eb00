/** The result of one test file, from the events of node:test, and the end of a file that hangs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { endChildren } from '../../rig/process-tree.ts'

/** How long a file may clean up after SIGTERM: delete its namespaces and folders, and end what it has started. */
const CLEAN_UP_MS = 5000
/** After a file's processes have ended, its events end within this time, or never. */
const ENDED_MS = 5000
/** The output of a failed file is printed up to this length. */
const OUTPUT_CHARS = 20_000

interface Failure {
  title: string
  /** The error, formatted. */
  error: string
}

export interface FileResult {
  /** Path from test/, without the ending. */
  name: string
  passed: number
  failures: Failure[]
  /** The reason of each skipped test. */
  skips: string[]
  /** Titles of tests that passed only in the repetition. */
  failedFirst: string[]
  /** Output of the file's process. */
  output: string
  seconds: number
}

export const emptyResult = (name: string): FileResult => ({
  name,
  passed: 0,
  failures: [],
  skips: [],
  failedFirst: [],
  output: '',
  seconds: 0,
})

/** A failure that no test reported. */
export const failedFile = (name: string, error: string): FileResult => ({
  ...emptyResult(name),
  failures: [{ title: name, error }],
})

/**
 * Completes the result of a file that has ended.
 *
 * @param killed why its process was killed; null: it was not
 */
export function finish(result: FileResult, killed: string | null): FileResult {
  const { name, failures } = result
  if (killed !== null) failures.push({ title: name, error: `its process was killed: ${killed}` })
  if (result.passed + failures.length + result.skips.length === 0) {
    failures.push({ title: name, error: 'the file has no tests' })
  }
  return result
}

/**
 * Waits for a file's run. If it exceeds its time or is cancelled, the file's processes are ended, those that ignore SIGTERM
 * by SIGKILL, and the file is abandoned even if its events do not end, so that one file never delays the others.
 *
 * @returns why it was killed; null: it ended by itself
 */
export async function killedBefore(
  file: string,
  timeoutMs: number,
  cancelled: Promise<string>,
  work: () => Promise<void>,
): Promise<string | null> {
  const working = work()
  const timer = new AbortController()
  const late = sleep(timeoutMs, `it had not ended after ${timeoutMs / 1000} s`, { signal: timer.signal })
  const reason = await Promise.race([working.then(() => null), late.catch(() => null), cancelled])
  timer.abort()
  if (reason === null) return null
  await endChildren(file, CLEAN_UP_MS)
  await Promise.race([working, sleep(ENDED_MS)])
  return reason
}

export type TestEvent = { type: string; data: Record<string, unknown> }

/**
 * Counts one event of node:test into the result. Events of the file itself are not tests.
 *
 * @param path of the file that node:test runs
 */
export function countEvent(result: FileResult, path: string, { type, data }: TestEvent): void {
  if (type === 'test:stdout' || type === 'test:stderr') {
    if (result.output.length < OUTPUT_CHARS) result.output += String(data['message'])
    return
  }
  if (type !== 'test:pass' && type !== 'test:fail') return
  const details = data['details'] as { type?: string; error?: Error & { failureType?: string } }
  const skip = data['skip'] ?? data['todo']
  const own = data['name'] === path
  if (type === 'test:fail' && skip === undefined) {
    if (details.error?.failureType === 'subtestsFailed')
      result.failures.push({ title: String(data['name']), error: '' })
    else result.failures.push({ title: own ? result.name : String(data['name']), error: describeError(details.error) })
  } else if (skip !== undefined && skip !== false) result.skips.push(skip === true ? 'no reason given' : String(skip))
  else if (!own && details.type !== 'suite') result.passed += 1
}

/** node:test wraps what was thrown. An assertion's values are in its message already. */
function describeError(error: Error | undefined): string {
  const { exitCode, signal } = (error ?? {}) as { exitCode?: number | null; signal?: string | null }
  if (typeof signal === 'string') return `its process was ended by ${signal}`
  if (typeof exitCode === 'number') return `its process ended with exit code ${exitCode}`
  const thrown = error?.cause ?? error
  if (!(thrown instanceof Error)) return String(thrown)
  // Events from another process contain only the name.
  return thrown.name === 'AssertionError' ? String(thrown.stack) : inspect(thrown, { depth: 8, maxStringLength: 4000 })
}
